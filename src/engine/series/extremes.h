// The greatest or least value in a range of a long series, without reading each value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/series/stored.h"
#include "event/value.h"

namespace attune {

// Whether one value beats another under min (or max). Numbers come before texts, and texts before times, for properties
// of undeclared type; values of one type are ordered. Null and booleans lose to all.
bool Beats(const Value& a, const Value& b, bool largest);
bool Beats(Stored a, Stored b, bool largest, const Interner& interner);

// Whether a value is a number beyond a bound: above it if `largest`, else below it.
struct Beyond {
  double bound = 0;
  bool inclusive = false;  // the bound itself is beyond
  bool largest = false;

  bool operator()(Stored value) const {
    if (!value.is_number()) return false;
    const double x = value.number();
    return (largest ? x > bound : x < bound) || (inclusive && x == bound);
  }
};

// A tree over blocks of kFan entries, blocks of kFan such blocks, and so on. Each block stores its latest entry that no
// other in it beats. Blocks are added on demand. A range consists of about 2 * kFan blocks on each level. The series
// owns the values; every call takes the values of the entries held.
class Extremes {
 public:
  explicit Extremes(bool largest) : largest_(largest) {}

  // The latest entry in [from, to) that no other in it beats. Requires from < to.
  size_t Find(const uint64_t* values, size_t from, size_t to, const Interner& interner);
  // The latest entry in [from, to) beyond a bound; `to` if there is none. The bound's `largest` must be the tree's.
  size_t FindBeyond(const uint64_t* values, size_t from, size_t to, const Beyond& beyond, const Interner& interner);

  // Entries from `size` on have changed or were removed.
  void Truncate(size_t size);
  // The oldest n entries were dropped.
  void Drop(size_t n);

  size_t MemoryBytes() const;

 private:
  static constexpr int kFanBits = 2;
  static constexpr uint32_t kFan = 1 << kFanBits;

  static Stored ValueOf(const uint64_t* values, uint32_t at) { return Stored::FromBits(values[at]); }
  // Adds the blocks that end at or before `to`.
  void Extend(const uint64_t* values, uint32_t to, const Interner& interner);

  // By level. Entries are counted from the first entry of the tree.
  std::vector<std::vector<uint32_t>> levels_;
  uint32_t dropped_ = 0;  // entries dropped since. Blocks that contain them are never read
  bool largest_;
};

}  // namespace attune
