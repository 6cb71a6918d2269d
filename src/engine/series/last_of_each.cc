#include "engine/series/last_of_each.h"

#include <algorithm>
#include <bit>

namespace attune {

void LastOfEach::Mark(size_t at) {
  marks_[at / 64] |= uint64_t{1} << at % 64;
  ++counts_[at / 64 / kBlockWords];
}

void LastOfEach::Unmark(size_t at) {
  marks_[at / 64] &= ~(uint64_t{1} << at % 64);
  --counts_[at / 64 / kBlockWords];
}

void LastOfEach::Extend(const uint64_t* values, size_t size) {
  while (size_ < size + dropped_) {
    const size_t at = size_++;
    if (at / 64 == marks_.size()) marks_.push_back(0);
    if (at / 64 / kBlockWords == counts_.size()) counts_.push_back(0);
    const auto [last, fresh] = last_.try_emplace(values[at - dropped_], static_cast<uint32_t>(at));
    if (!fresh) Unmark(last->second);
    last->second = static_cast<uint32_t>(at);
    Mark(at);
  }
}

size_t LastOfEach::CountFrom(size_t from) const {
  const size_t at = from + dropped_;
  if (at >= size_) return 0;
  size_t word = at / 64;
  size_t count = static_cast<size_t>(std::popcount(marks_[word] >> at % 64));
  for (++word; word < marks_.size() && word % kBlockWords != 0; ++word) count += static_cast<size_t>(std::popcount(marks_[word]));
  for (size_t block = word / kBlockWords; word < marks_.size() && block < counts_.size(); ++block) count += counts_[block];
  return count;
}

bool LastOfEach::FindLatest(size_t n, size_t* at) const {
  if (n > last_.size()) return false;
  size_t block = counts_.size() - 1;
  while (n > counts_[block]) n -= counts_[block--];
  size_t word = std::min(marks_.size(), (block + 1) * kBlockWords) - 1;
  for (size_t in; n > (in = static_cast<size_t>(std::popcount(marks_[word]))); --word) n -= in;
  uint64_t bits = marks_[word];
  for (auto before = static_cast<size_t>(std::popcount(bits)) - n; before > 0; --before) bits &= bits - 1;
  *at = word * 64 + static_cast<size_t>(std::countr_zero(bits)) - dropped_;
  return true;
}

size_t LastOfEach::FirstFrom(size_t from) const {
  const size_t at = from + dropped_;
  size_t word = at / 64;
  uint64_t bits = marks_[word] & (~uint64_t{0} << at % 64);
  while (bits == 0) {
    ++word;
    while (word % kBlockWords == 0 && counts_[word / kBlockWords] == 0) word += kBlockWords;
    bits = marks_[word];
  }
  return word * 64 + static_cast<size_t>(std::countr_zero(bits)) - dropped_;
}

void LastOfEach::Insert(size_t place, uint64_t value) {
  const size_t at = place + dropped_;
  if (at >= size_) return;
  for (auto& [_, last] : last_) last += last >= at;
  // Shifts the marks from `at` on by one.
  if (size_ / 64 == marks_.size()) marks_.push_back(0);
  const size_t first = at / 64;
  for (size_t word = marks_.size() - 1; word > first; --word) marks_[word] = marks_[word] << 1 | marks_[word - 1] >> 63;
  const uint64_t below = (uint64_t{1} << at % 64) - 1;
  marks_[first] = (marks_[first] & below) | (marks_[first] & ~below) << 1;
  ++size_;
  counts_.resize((marks_.size() + kBlockWords - 1) / kBlockWords);
  for (size_t block = first / kBlockWords; block < counts_.size(); ++block) {
    counts_[block] = 0;
    for (size_t word = block * kBlockWords; word < std::min(marks_.size(), (block + 1) * kBlockWords); ++word) {
      counts_[block] += static_cast<uint32_t>(std::popcount(marks_[word]));
    }
  }
  const auto [last, fresh] = last_.try_emplace(value, static_cast<uint32_t>(at));
  if (!fresh && last->second > at) return;
  if (!fresh) Unmark(last->second);
  last->second = static_cast<uint32_t>(at);
  Mark(at);
}

void LastOfEach::Drop(const uint64_t* values, size_t n) {
  if (dropped_ + n >= size_) {
    *this = LastOfEach();
    return;
  }
  for (size_t i = 0; i < n; ++i, ++dropped_) {
    if (!IsMarked(dropped_)) continue;
    last_.erase(values[i]);  // the text may be released, and its id reused
    Unmark(dropped_);
  }
  // Dropped entries use no more space than held ones.
  const size_t blocks = dropped_ / (64 * kBlockWords);
  if (blocks == 0 || dropped_ < size_ / 2) return;
  const size_t entries = blocks * 64 * kBlockWords;
  marks_.erase(marks_.begin(), marks_.begin() + static_cast<ptrdiff_t>(blocks * kBlockWords));
  counts_.erase(counts_.begin(), counts_.begin() + static_cast<ptrdiff_t>(blocks));
  for (auto& [_, last] : last_) last -= static_cast<uint32_t>(entries);
  size_ -= entries;
  dropped_ -= entries;
}

size_t LastOfEach::MemoryBytes() const {
  return last_.capacity() * (sizeof(std::pair<uint64_t, uint32_t>) + 1) + marks_.capacity() * sizeof(marks_[0]) +
         counts_.capacity() * sizeof(counts_[0]);
}

}  // namespace attune
