#include "engine/series/series.h"

#include <algorithm>

namespace attune {

size_t Series::CountUpTo(Millis t) const {
  if (size_ == 0 || t >= times_[size_ - 1]) return size_;
  return static_cast<size_t>(std::upper_bound(begin(), end(), t) - begin());
}

ExactSum Series::Sum(size_t from, size_t to, size_t* count) const {
  ExactSum sum;
  if (!long_) {
    size_t n = 0;
    for (size_t i = from; i < to; ++i) {
      if (!value(i).is_number()) continue;
      sum.Add(value(i).number());
      ++n;
    }
    *count = n;
    return sum;
  }
  RunningSums& sums = long_->sums;
  while (sums.size() <= to + skipped_) {
    RunningSum next = sums.empty() ? RunningSum() : sums.back();
    const size_t before = sums.size();
    if (before > 0) {
      const Stored term = Stored::FromBits(held()[before - 1]);
      if (term.is_number()) {
        next.sum.Add(term.number());
        ++next.count;
      }
    }
    sums.push_back(next);
  }
  const RunningSum& end = sums[to + skipped_];
  const RunningSum& begin = sums[from + skipped_];
  *count = end.count - begin.count;
  sum = end.sum;
  sum.Subtract(begin.sum);
  return sum;
}

size_t Series::Extreme(size_t from, size_t to, bool largest, const Interner& interner) const {
  if (long_) {
    Extremes& extremes = largest ? long_->greatest : long_->least;
    return extremes.Find(held(), from + skipped_, to + skipped_, interner) - skipped_;
  }
  size_t best = to - 1;
  for (size_t i = to - 1; i-- > from;) {
    if (Beats(value(i), value(best), largest, interner)) best = i;
  }
  return best;
}

size_t Series::LatestBeyond(size_t from, const Beyond& beyond, const Interner& interner) const {
  if (long_) {
    Extremes& extremes = beyond.largest ? long_->greatest : long_->least;
    return extremes.FindBeyond(held(), from + skipped_, size_ + skipped_, beyond, interner) - skipped_;
  }
  for (size_t i = size_; i-- > from;) {
    if (beyond(value(i))) return i;
  }
  return size_;
}

size_t Series::DistinctFrom(size_t from) const {
  long_->last_of_each.Extend(held(), size_ + skipped_);
  return long_->last_of_each.CountFrom(from + skipped_);
}

size_t Series::FirstLastOfEach(size_t from) const {
  long_->last_of_each.Extend(held(), size_ + skipped_);
  return long_->last_of_each.FirstFrom(from + skipped_) - skipped_;
}

size_t Series::LatestDistinct(size_t n) const {
  long_->last_of_each.Extend(held(), size_ + skipped_);
  size_t at;
  if (!long_->last_of_each.FindLatest(n, &at) || at < skipped_) return size_;
  return at - skipped_;
}

void LongSeries::Insert(size_t at, Stored value) {
  if (sums.size() > at + 1) sums.resize(at + 1);
  least.Truncate(at);
  greatest.Truncate(at);
  last_of_each.Insert(at, value.bits());
}

void LongSeries::Drop(const uint64_t* values, size_t n) {
  sums.erase(sums.begin(), sums.begin() + static_cast<ptrdiff_t>(std::min<size_t>(n, sums.size())));
  least.Drop(n);
  greatest.Drop(n);
  last_of_each.Drop(values, n);
}

size_t LongSeries::MemoryBytes() const {
  return sizeof(LongSeries) + sums.size() * sizeof(RunningSum) + least.MemoryBytes() + greatest.MemoryBytes() +
         last_of_each.MemoryBytes();
}

}  // namespace attune
