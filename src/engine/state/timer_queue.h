// When users are due next, as a heap. An obsolete entry stays in the heap as a *stale* one until it is reached, or
// until the stale entries outnumber the live ones and are dropped together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/time.h"

namespace attune {

class TimerQueue {
 public:
  struct Timer {
    Millis at;
    uint32_t slot;
    bool operator>(const Timer& other) const { return at > other.at; }
  };

  bool empty() const { return heap_.empty(); }
  // The number of entries, including stale ones.
  size_t size() const { return heap_.size(); }
  // The earliest entry. top and Pop require that there is one.
  const Timer& top() const { return heap_.front(); }
  void Push(Timer timer) {
    heap_.push_back(timer);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  void Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
  }

  // An entry became stale; a stale entry was popped.
  void NoteStale() { ++stale_; }
  void NoteStalePopped() { --stale_; }
  // Whether most entries are stale, so that dropping them costs no more than creating them did.
  bool IsMostlyStale() const { return stale_ > kFewStale && stale_ > heap_.size() / 2; }
  // Keeps the live entries: `is_live` is called once for each, in no particular order.
  template <typename IsLive>
  void DropStale(IsLive is_live) {
    std::erase_if(heap_, [&](const Timer& timer) { return !is_live(timer); });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    stale_ = 0;
  }
  const std::vector<Timer>& entries() const { return heap_; }  // in the heap's order

 private:
  static constexpr size_t kFewStale = 32;

  std::vector<Timer> heap_;
  size_t stale_ = 0;
};

}  // namespace attune
