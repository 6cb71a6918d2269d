#include "engine/series/extremes.h"

#include <algorithm>

namespace attune {

bool Beats(const Value& a, const Value& b, bool largest) {
  const auto rank = [](const Value& v) {
    return v.type() == Type::kNumber ? 0 : v.type() == Type::kString ? 1 : v.type() == Type::kTime ? 2 : 3;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (rank(a) == 3) return false;
  return largest ? Order(a, b) > 0 : Order(a, b) < 0;
}

bool Beats(Stored a, Stored b, bool largest, const Interner& interner) {
  if (a.is_number() && b.is_number()) return largest ? a.number() > b.number() : a.number() < b.number();
  if (a.is_number() || b.is_number()) return a.is_number();
  return Beats(a.Load(interner), b.Load(interner), largest);
}

void Extremes::Extend(const uint64_t* values, uint32_t to, const Interner& interner) {
  if (levels_.empty()) levels_.emplace_back();
  while ((levels_[0].size() + 1) * kFan <= to) {
    for (size_t level = 0;; ++level) {
      if (level == levels_.size()) levels_.emplace_back();
      const auto block = static_cast<uint32_t>(levels_[level].size());
      uint32_t best = 0;
      // A block that contains dropped entries is only a placeholder.
      if (block << kFanBits * (level + 1) >= dropped_) {
        const uint32_t child = block * kFan;
        const auto of = [&](uint32_t i) { return level == 0 ? child + i : levels_[level - 1][child + i]; };
        best = of(kFan - 1);
        for (uint32_t i = kFan - 1; i-- > 0;) {
          if (Beats(ValueOf(values, of(i) - dropped_), ValueOf(values, best - dropped_), largest_, interner)) best = of(i);
        }
      }
      levels_[level].push_back(best);
      if (levels_[level].size() % kFan != 0) break;
    }
  }
}

size_t Extremes::Find(const uint64_t* values, size_t from, size_t to, const Interner& interner) {
  const uint32_t end = static_cast<uint32_t>(to) + dropped_;
  const uint32_t begin = static_cast<uint32_t>(from) + dropped_;
  Extend(values, end, interner);
  uint32_t best = end - 1;
  for (uint32_t i = end; i > begin;) {
    size_t level = 0;  // the largest block that ends at i
    while (level < levels_.size() && (i & ((kFan << kFanBits * level) - 1)) == 0 && i - begin >= kFan << kFanBits * level) ++level;
    const uint32_t at = level == 0 ? i - 1 : levels_[level - 1][(i >> kFanBits * level) - 1];
    if (Beats(ValueOf(values, at - dropped_), ValueOf(values, best - dropped_), largest_, interner)) best = at;
    i -= 1U << kFanBits * level;
  }
  return best - dropped_;
}

size_t Extremes::FindBeyond(const uint64_t* values, size_t from, size_t to, const Beyond& beyond, const Interner& interner) {
  const uint32_t end = static_cast<uint32_t>(to) + dropped_;
  const uint32_t begin = static_cast<uint32_t>(from) + dropped_;
  Extend(values, end, interner);
  size_t most = levels_.size();  // once the block is known, only smaller ones inside it
  for (uint32_t i = end; i > begin;) {
    size_t level = 0;
    while (level < most && (i & ((kFan << kFanBits * level) - 1)) == 0 && i - begin >= kFan << kFanBits * level) ++level;
    const uint32_t at = level == 0 ? i - 1 : levels_[level - 1][(i >> kFanBits * level) - 1];
    if (!beyond(ValueOf(values, at - dropped_))) {
      i -= 1U << kFanBits * level;
    } else if (level == 0) {
      return at - dropped_;
    } else {
      most = level - 1;
    }
  }
  return to;
}

void Extremes::Truncate(size_t size) {
  const size_t left = size + dropped_;
  for (size_t level = 0; level < levels_.size(); ++level) {
    levels_[level].resize(std::min(levels_[level].size(), left >> kFanBits * (level + 1)));
  }
}

void Extremes::Drop(size_t n) {
  if (levels_.empty()) return;
  dropped_ += static_cast<uint32_t>(n);
  // Rebuilt periodically, so that dropped entries use no more space than present ones.
  if (dropped_ < kFan * levels_[0].size() / 2) return;
  levels_.clear();
  dropped_ = 0;
}

size_t Extremes::MemoryBytes() const {
  size_t bytes = levels_.capacity() * sizeof(levels_[0]);
  for (const auto& level : levels_) bytes += level.capacity() * sizeof(level[0]);
  return bytes;
}

}  // namespace attune
