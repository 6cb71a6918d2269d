// The number of distinct values in the latest entries of a long series, without reading each entry.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace attune {

// Marks each entry whose value does not occur after it. The number of distinct values in the latest n entries is then
// the number of marks among them. Entries are added on demand; values are the bits of Stored.
class LastOfEach {
 public:
  // Adds the missing ones of the first `size` entries held. The queries below cover the added entries.
  void Extend(const uint64_t* values, size_t size);
  // The number of marks at or after an entry.
  size_t CountFrom(size_t from) const;
  // Finds the n-th mark from the end, n > 0. False if there are fewer.
  bool FindLatest(size_t n, size_t* at) const;
  // The first mark at or after an entry. Requires that there is one.
  size_t FirstFrom(size_t from) const;

  // An entry was inserted before others, at `at`.
  void Insert(size_t at, uint64_t value);
  // The oldest n entries are dropped; `values` are theirs.
  void Drop(const uint64_t* values, size_t n);

  size_t MemoryBytes() const;

 private:
  static constexpr size_t kBlockWords = 64;

  bool IsMarked(size_t at) const { return marks_[at / 64] >> at % 64 & 1; }
  void Mark(size_t at);
  void Unmark(size_t at);

  // Entries are counted from the first entry ever marked; `dropped_` of them are gone.
  absl::flat_hash_map<uint64_t, uint32_t> last_;  // by value
  std::vector<uint64_t> marks_;
  std::vector<uint32_t> counts_;  // of marks in kBlockWords words
  size_t size_ = 0;
  size_t dropped_ = 0;
};

}  // namespace attune
