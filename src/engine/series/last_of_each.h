// How many distinct values the latest entries of a long series have, without looking at each of them.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace attune {

// Marks the entries whose value none after them has: the latest n entries have as many distinct values as there are marks
// among them. Entries are taken in as they are asked for; values are the bits of Stored.
class LastOfEach {
 public:
  // Takes in what it has not of the first `size` entries held; the queries below are about those taken in.
  void Extend(const uint64_t* values, size_t size);
  // The number of marks from an entry on.
  size_t CountFrom(size_t from) const;
  // The n-th mark from the end, n > 0. False when there are fewer.
  bool FindLatest(size_t n, size_t* at) const;
  // The first mark from an entry on, of which there must be one.
  size_t FirstFrom(size_t from) const;

  // An entry came in before others, at `at`.
  void Insert(size_t at, uint64_t value);
  // The oldest n go; their values are asked for.
  void Drop(const uint64_t* values, size_t n);

  size_t MemoryBytes() const;

 private:
  static constexpr size_t kBlockWords = 64;

  bool IsMarked(size_t at) const { return marks_[at / 64] >> at % 64 & 1; }
  void Mark(size_t at);
  void Unmark(size_t at);

  // Entries are counted from the first that the marks begin with, `dropped_` of which are gone.
  absl::flat_hash_map<uint64_t, uint32_t> last_;  // by value
  std::vector<uint64_t> marks_;
  std::vector<uint32_t> counts_;  // of marks in kBlockWords words
  size_t size_ = 0;
  size_t dropped_ = 0;
};

}  // namespace attune
