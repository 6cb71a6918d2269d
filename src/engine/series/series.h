// The instants of one user's events of one selector, in the order of her history, with one property's values if wanted.
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"
#include "engine/series/exact_sum.h"
#include "engine/series/extremes.h"
#include "engine/series/last_of_each.h"
#include "engine/series/stored.h"

namespace attune {

class UserState;

// Of a long series: the sum and the number of terms before each entry, as far as they were asked for.
struct RunningSum {
  ExactSum sum;
  uint32_t count = 0;
};
using RunningSums = std::deque<RunningSum>;

// What a long series' values come to, each as far as it was asked for. It stands beside the series and is in no snapshot:
// it can be made again at any time. Entries are those held, the ones beyond the plan's limit included.
struct LongSeries {
  RunningSums sums;
  Extremes least{false};
  Extremes greatest{true};
  LastOfEach last_of_each;

  // An entry came in before others.
  void Insert(size_t at, Stored value);
  // The oldest n are about to go.
  void Drop(const uint64_t* values, size_t n);
  size_t MemoryBytes() const;
};

// A view into a user's state; lives until she is next changed.
class Series {
 public:
  Series() = default;

  size_t size() const { return size_; }
  size_t skipped() const { return skipped_; }  // entries still held that are beyond the plan's limit
  Millis time(size_t i) const { return times_[i]; }
  Stored value(size_t i) const { return Stored::FromBits(values_[i]); }
  const Millis* begin() const { return times_; }
  const Millis* end() const { return times_ + size_; }

  // The number of events with time <= t.
  size_t CountUpTo(Millis t) const;

  // The sum of the numbers among the values [from, to), and how many they are. Constant time for long series, once the
  // running sums stand.
  ExactSum Sum(size_t from, size_t to, size_t* count) const;

  // The latest entry in [from, to), which is not empty, that no other in it beats under max (or min). For long series
  // the time is in the logarithm of how many there are.
  size_t Extreme(size_t from, size_t to, bool largest, const Interner& interner) const;
  // The latest entry from `from` on that is beyond a bound; size() when there is none. Time as above.
  size_t LatestBeyond(size_t from, const Beyond& beyond, const Interner& interner) const;

  // Of a long series: how many distinct values there are from an entry on; the first entry from there on whose value none
  // after it has; the last such that it and those after it have n distinct values, size() when they are fewer. Counted
  // by words of 64 entries; an entry is taken in once.
  bool is_long() const { return long_ != nullptr; }
  size_t DistinctFrom(size_t from) const;
  size_t FirstLastOfEach(size_t from) const;
  size_t LatestDistinct(size_t n) const;

  // Events were dropped because the plan's limit was reached: answers about older ones are incomplete.
  bool truncated() const { return truncated_; }

  // Some value put in so far was a number below zero.
  bool has_negative() const { return has_negative_; }

 private:
  friend class UserState;

  const uint64_t* held() const { return values_ - skipped_; }

  const Millis* times_ = nullptr;
  const uint64_t* values_ = nullptr;
  size_t size_ = 0;
  size_t skipped_ = 0;
  LongSeries* long_ = nullptr;  // of a long one with values
  bool truncated_ = false;
  bool has_negative_ = false;
};

}  // namespace attune
