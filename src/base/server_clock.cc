#include "base/server_clock.h"

#include <algorithm>
#include <ctime>

namespace attune {

Millis BootClock() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return time.tv_sec * kSecond + time.tv_nsec / 1'000'000;
}

ServerClock::ServerClock(Millis floor, std::function<Millis()> wall, std::function<Millis()> boot)
    : wall_(std::move(wall)), boot_(std::move(boot)), now_(std::max(floor, wall_())), boot_then_(boot_()) {}

Millis ServerClock::Now() {
  const std::lock_guard hold(mutex_);
  const Millis boot = boot_();
  const Millis elapsed = std::max<Millis>(0, boot - boot_then_);
  boot_then_ = boot;
  const Millis ahead = wall_() - (now_ + elapsed);
  leap_ = ahead > kLeap || ahead < -kLeap ? ahead : 0;
  if (leap_ != 0) return now_ += elapsed;
  if (ahead >= 0) return now_ += elapsed + ahead;
  slow_ += elapsed;
  const Millis step = std::max(slow_ / 2, elapsed + ahead);  // at most to where the two clocks meet
  slow_ -= std::min(slow_, 2 * step);
  return now_ += step;
}

Millis ServerClock::leap() const {
  const std::lock_guard hold(mutex_);
  return leap_;
}

}  // namespace attune
