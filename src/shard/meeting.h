// A barrier of all loops: each waits at a record until all have arrived; the last one executes what the record
// requires.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

namespace attune {

class Meeting {
 public:
  explicit Meeting(size_t loops) : loops_(loops) {}

  struct Arrival {
    uint64_t number;  // of the meeting
    bool last;        // it is over
  };
  // A loop arrived at the record with this sequence. All must arrive at the same one. The last to arrive calls
  // `hold_it` while all others wait.
  Arrival Arrive(uint64_t sequence, const std::function<void()>& hold_it);
  // Whether the meeting with this number is over.
  bool IsOver(uint64_t number) const { return held_.load(std::memory_order_acquire) > number; }

  // --- costs ---

  uint64_t held() const { return held_.load(std::memory_order_relaxed); }
  // The longest time that a loop waited at a meeting, and that all loops were stopped.
  std::chrono::nanoseconds longest_wait() const { return std::chrono::nanoseconds(longest_wait_.load(std::memory_order_relaxed)); }
  std::chrono::nanoseconds longest_hold() const { return std::chrono::nanoseconds(longest_hold_.load(std::memory_order_relaxed)); }

 private:
  using Clock = std::chrono::steady_clock;
  static void Raise(std::atomic<int64_t>* most, Clock::duration value);

  const size_t loops_;
  std::atomic<uint64_t> held_{0};
  std::atomic<int64_t> longest_wait_{0};
  std::atomic<int64_t> longest_hold_{0};
  std::mutex mutex_;
  size_t arrived_ = 0;  // guarded by mutex_, as are the next
  uint64_t sequence_ = 0;
  Clock::time_point first_;
};

}  // namespace attune
