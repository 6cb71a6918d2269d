#include "shard/meeting.h"

#include <algorithm>

#include "base/check.h"

namespace attune {

Meeting::Arrival Meeting::Arrive(uint64_t sequence, const std::function<void()>& hold_it) {
  const std::lock_guard hold(mutex_);
  const uint64_t number = held_.load(std::memory_order_relaxed);
  const auto now = Clock::now();
  if (arrived_ == 0) {
    sequence_ = sequence;
    first_ = now;
  }
  ATTUNE_CHECK(sequence == sequence_, "all loops meet at one record");
  if (++arrived_ < loops_) return {number, false};
  hold_it();
  const auto done = Clock::now();
  Raise(&longest_hold_, done - now);
  if (loops_ > 1) Raise(&longest_wait_, done - first_);
  arrived_ = 0;
  held_.store(number + 1, std::memory_order_release);
  return {number, true};
}

void Meeting::Raise(std::atomic<int64_t>* most, Clock::duration value) {
  const int64_t nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(value).count();
  if (nanoseconds > most->load(std::memory_order_relaxed)) most->store(nanoseconds, std::memory_order_relaxed);
}

}  // namespace attune
