// The clock that stamps records and decides which timers are due: the wall clock, with corrections.
//
// - It never goes back. When the wall clock does, this clock runs at half speed until the wall clock has caught up.
// - It does not follow a leap. When the wall clock jumps by more than a day, this clock continues as if nothing had
//   happened, and leap() is the difference between the two. If it followed a wrong setting, every absence and every
//   window of the leap would elapse, and no later correction could undo that. It follows the wall clock again once the
//   two are within a day of each other, or in another process.
#pragma once

#include <functional>
#include <mutex>

#include "base/time.h"

namespace attune {

// Time since boot, including suspend.
Millis BootClock();

// Thread-safe.
class ServerClock {
 public:
  static constexpr Millis kLeap = kDay;

  // `floor`: the last instant that an earlier process used, or kAlways.
  explicit ServerClock(Millis floor, std::function<Millis()> wall = WallClock, std::function<Millis()> boot = BootClock);

  Millis Now();
  // How far the wall clock was ahead at the last Now, if it is not followed; otherwise 0. Negative: behind.
  Millis leap() const;

 private:
  const std::function<Millis()> wall_;
  const std::function<Millis()> boot_;
  mutable std::mutex mutex_;
  Millis now_;        // guarded by the mutex, as are the members below
  Millis boot_then_;  // the boot clock when now_ was set
  Millis slow_ = 0;   // elapsed at half speed and not yet in now_, in half milliseconds
  Millis leap_ = 0;
};

}  // namespace attune
