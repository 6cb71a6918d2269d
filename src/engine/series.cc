#include "engine/series.h"

#include <algorithm>

namespace attune {

size_t Series::CountUpTo(Millis t) const {
  if (size_ == 0 || t >= times_[size_ - 1]) return size_;
  return static_cast<size_t>(std::upper_bound(begin(), end(), t) - begin());
}

ExactSum Series::Sum(size_t from, size_t to, size_t* count) const {
  ExactSum sum;
  if (!running_) {
    size_t n = 0;
    for (size_t i = from; i < to; ++i) {
      if (!value(i).is_number()) continue;
      sum.Add(value(i).number());
      ++n;
    }
    *count = n;
    return sum;
  }
  const uint64_t* const held = values_ - skipped_;
  while (running_->size() <= to + skipped_) {
    RunningSum next = running_->empty() ? RunningSum() : running_->back();
    const size_t before = running_->size();
    if (before > 0) {
      const Stored term = Stored::FromBits(held[before - 1]);
      if (term.is_number()) {
        next.sum.Add(term.number());
        ++next.count;
      }
    }
    running_->push_back(next);
  }
  const RunningSum& end = (*running_)[to + skipped_];
  const RunningSum& begin = (*running_)[from + skipped_];
  *count = end.count - begin.count;
  sum = end.sum;
  sum.Subtract(begin.sum);
  return sum;
}

}  // namespace attune
