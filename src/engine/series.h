// The instants of one user's events of one selector, in the order of her history, with one property's values if wanted.
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"
#include "engine/exact_sum.h"
#include "engine/stored.h"

namespace attune {

class UserState;

// Of a long series: the sum and the number of terms before each entry, as far as they were asked for.
struct RunningSum {
  ExactSum sum;
  uint32_t count = 0;
};
using RunningSums = std::deque<RunningSum>;

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

  // Events were dropped because the plan's limit was reached: answers about older ones are incomplete.
  bool truncated() const { return truncated_; }

  // Some value put in so far was a number below zero.
  bool has_negative() const { return has_negative_; }

 private:
  friend class UserState;

  const Millis* times_ = nullptr;
  const uint64_t* values_ = nullptr;
  size_t size_ = 0;
  size_t skipped_ = 0;
  RunningSums* running_ = nullptr;  // of a long one with values: from the first entry held, the skipped ones included
  bool truncated_ = false;
  bool has_negative_ = false;
};

}  // namespace attune
