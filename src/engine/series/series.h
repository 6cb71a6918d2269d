// The instants of one user's events of one selector, in the order of the history, with one property's values if needed.
#pragma once

#include <cstdint>
#include <deque>
#include <span>

#include "base/time.h"
#include "engine/series/exact_sum.h"
#include "engine/series/extremes.h"
#include "engine/series/last_of_each.h"
#include "engine/series/stored.h"

namespace attune {

class UserState;

// For a long series: the sum and number of terms before each entry, computed on demand.
struct RunningSum {
  ExactSum sum;
  uint32_t count = 0;
};
using RunningSums = std::deque<RunningSum>;

// Summaries of a long series' values, each computed on demand. They are not part of a snapshot, because they can always
// be recomputed. They cover all entries held, including those beyond the plan's limit.
struct LongSeries {
  RunningSums sums;
  Extremes least{false};
  Extremes greatest{true};
  LastOfEach last_of_each;

  // An entry was inserted before others.
  void Insert(size_t at, Stored value);
  // The oldest n are about to be dropped.
  void Drop(const uint64_t* values, size_t n);
  size_t MemoryBytes() const;
};

// A view of a user's state; valid until that state changes.
class Series {
 public:
  Series() = default;

  size_t size() const { return size_; }
  size_t skipped() const { return skipped_; }  // entries beyond the plan's limit that are still held
  Millis time(size_t i) const { return times_[i]; }
  Stored value(size_t i) const { return Stored::FromBits(values_[i]); }
  // The entries [from, to): their times, and the bits of their Stored values. A series of instants has no values.
  std::span<const Millis> times(size_t from, size_t to) const { return {times_ + from, to - from}; }
  std::span<const uint64_t> encoded(size_t from, size_t to) const {
    if (!values_) return {};
    return {values_ + from, to - from};
  }
  const Millis* begin() const { return times_; }
  const Millis* end() const { return times_ + size_; }

  // The number of events with time <= t.
  size_t CountUpTo(Millis t) const;

  // The sum of the numbers among the values [from, to), and their count. Constant time for long series, once the
  // running sums are computed.
  ExactSum Sum(size_t from, size_t to, size_t* count) const;

  // The latest entry in [from, to), which must not be empty, that no other entry in it beats under max (or min).
  // Logarithmic time for long series.
  size_t Extreme(size_t from, size_t to, bool largest, const Interner& interner) const;
  // The latest entry from `from` on that is beyond a bound; size() if there is none. Logarithmic time for long series.
  size_t LatestBeyond(size_t from, const Beyond& beyond, const Interner& interner) const;

  // For a long series: the number of distinct values from an entry on; the first entry from there on whose value does
  // not occur after it; the last entry such that the entries from it on have n distinct values (size() if there are
  // fewer). Counts words of 64 entries; each entry is processed once.
  bool is_long() const { return long_ != nullptr; }
  size_t DistinctFrom(size_t from) const;
  size_t FirstLastOfEach(size_t from) const;
  size_t LatestDistinct(size_t n) const;

  // Whether events were dropped at the plan's limit. Results that need older events are incomplete.
  bool truncated() const { return truncated_; }

  // Whether any value added so far was a number below zero.
  bool has_negative() const { return has_negative_; }

 private:
  friend class UserState;

  const uint64_t* held() const { return values_ - skipped_; }

  const Millis* times_ = nullptr;
  const uint64_t* values_ = nullptr;
  size_t size_ = 0;
  size_t skipped_ = 0;
  LongSeries* long_ = nullptr;  // of a long series with values
  bool truncated_ = false;
  bool has_negative_ = false;
};

}  // namespace attune
