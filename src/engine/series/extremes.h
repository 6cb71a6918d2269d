// The greatest or least among any stretch of a long series' values, without looking at each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/series/stored.h"
#include "event/value.h"

namespace attune {

// The better of two values under min (or max): numbers before texts before times, for properties whose type nobody
// declared; then by order. Null and booleans are worse than all.
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

// A tree over blocks of kFan entries, of kFan such blocks, and so on: of each block the latest entry that none in it
// beats. Blocks are added as they are asked for; a stretch is made up of some 2 * kFan of them on each level. The
// values stand with the series; every call gets them: those of the entries that it holds.
class Extremes {
 public:
  explicit Extremes(bool largest) : largest_(largest) {}

  // The latest entry in [from, to) that no other in it beats. Requires from < to.
  size_t Find(const uint64_t* values, size_t from, size_t to, const Interner& interner);
  // The latest entry in [from, to) beyond a bound, whose `largest` is the tree's; `to` when there is none.
  size_t FindBeyond(const uint64_t* values, size_t from, size_t to, const Beyond& beyond, const Interner& interner);

  // Entries from `size` on are others than before, or gone.
  void Truncate(size_t size);
  // The oldest n are gone.
  void Drop(size_t n);

  size_t MemoryBytes() const;

 private:
  static constexpr int kFanBits = 2;
  static constexpr uint32_t kFan = 1 << kFanBits;

  static Stored ValueOf(const uint64_t* values, uint32_t at) { return Stored::FromBits(values[at]); }
  // Adds the blocks that end at `to` or before.
  void Extend(const uint64_t* values, uint32_t to, const Interner& interner);

  // By level; entries are counted from the first that was held when the tree was begun.
  std::vector<std::vector<uint32_t>> levels_;
  uint32_t dropped_ = 0;  // entries gone since. Blocks that they are in are never looked at
  bool largest_;
};

}  // namespace attune
