// The clock that records are stamped with, and that says which timers are due: the wall clock, but for its whims.
//
// - It never goes back. When the wall clock does, it goes at half its pace until the wall clock has caught up.
// - It does not follow a leap. When the wall clock moves by more than a day within no time, it goes on as if nothing had
//   happened, and leap() says by how much the two differ: a clock that was set wrong would let every absence and every
//   window of the leap lapse, and no later correction could take that back. It follows again once the wall clock is
//   back within a day, or with another process.
#pragma once

#include <functional>
#include <mutex>

#include "base/time.h"

namespace attune {

// Time since the machine was started, its sleep included.
Millis BootClock();

// Threads: any.
class ServerClock {
 public:
  static constexpr Millis kLeap = kDay;

  // `floor`: what it said last in an earlier process, or kAlways.
  explicit ServerClock(Millis floor, std::function<Millis()> wall = WallClock, std::function<Millis()> boot = BootClock);

  Millis Now();
  // How far the wall clock was ahead at the last Now, when it is not followed; else 0. Negative: behind.
  Millis leap() const;

 private:
  const std::function<Millis()> wall_;
  const std::function<Millis()> boot_;
  mutable std::mutex mutex_;
  Millis now_;        // guarded by it, as are the next
  Millis boot_then_;  // when now_ was said
  Millis slow_ = 0;   // elapsed at half pace and not yet in now_, in half milliseconds
  Millis leap_ = 0;
};

}  // namespace attune
