// Sets of conditions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace attune {

using ConditionId = uint32_t;  // segments first, then triggers; each after what it refers to

// A set of conditions as bits.
class ConditionSet {
 public:
  explicit ConditionSet(size_t conditions = 0) : words_((conditions + 63) / 64) {}
  void Add(ConditionId c) { words_[c / 64] |= uint64_t{1} << c % 64; }
  void Remove(ConditionId c) { words_[c / 64] &= ~(uint64_t{1} << c % 64); }
  bool Has(ConditionId c) const { return words_[c / 64] >> c % 64 & 1; }
  void AddAll(const ConditionSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  // Adds `other`, without the conditions that hold and can only rise, or do not hold and can only fall.
  void AddUnsettled(const ConditionSet& other, const ConditionSet& rising, const ConditionSet& falling, std::span<const uint64_t> holding) {
    for (size_t i = 0; i < words_.size(); ++i) {
      const uint64_t holds = i < holding.size() ? holding[i] : 0;
      words_[i] |= other.words_[i] & ~(rising.words_[i] & holds) & ~(falling.words_[i] & ~holds);
    }
  }
  void Clear() { std::fill(words_.begin(), words_.end(), 0); }
  void Fill(size_t conditions) {
    for (ConditionId c = 0; c < conditions; ++c) Add(c);
  }
  // Calls fn(condition) for each, in order, and removes it. Conditions with greater ids that fn adds are visited too.
  template <typename Fn>
  void TakeEach(Fn fn) {
    for (size_t i = 0; i < words_.size(); ++i) {
      while (words_[i] != 0) {
        const auto bit = static_cast<ConditionId>(__builtin_ctzll(words_[i]));
        words_[i] &= words_[i] - 1;
        fn(static_cast<ConditionId>(i * 64) + bit);
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace attune
