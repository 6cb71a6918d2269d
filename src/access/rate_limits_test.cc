#include "access/rate_limits.h"

#include <gtest/gtest.h>

#include <string>

namespace attune {
namespace {

TEST(RateLimits, NothingIsLimitedUnlessAskedFor) {
  RateLimits limits({});
  limits.Charge("key", "1.2.3.4", 1'000'000, 0);
  EXPECT_FALSE(limits.PauseOfKey("key", 0));
  EXPECT_FALSE(limits.PauseOfNetwork("1.2.3.4", 0));
}

// A hundred seconds at twice the limit. The first second's events are available at once.
TEST(RateLimits, LetsTheRateThrough) {
  RateLimits limits({.per_key = 50});
  int taken = 0;
  for (int64_t now = 0; now < 100'000; now += 10) {
    if (limits.PauseOfKey("key", now)) continue;
    limits.Charge("key", "", 1, now);
    ++taken;
  }
  EXPECT_NEAR(taken, 50 * 100 + 50, 2);
}

TEST(RateLimits, ALargeBatchIsPaidForAfterwards) {
  RateLimits limits({.per_key = 10});
  EXPECT_FALSE(limits.PauseOfKey("key", 0));
  limits.Charge("key", "", 1000, 0);
  EXPECT_EQ(limits.PauseOfKey("key", 0), 100);  // 990 owed, and one to send
  EXPECT_FALSE(limits.PauseOfKey("other", 0));
  EXPECT_EQ(limits.PauseOfKey("key", 99'000), 1);
  EXPECT_FALSE(limits.PauseOfKey("key", 99'100));
  limits.Charge("key", "", 1'000'000, 99'100);
  EXPECT_EQ(limits.PauseOfKey("key", 99'100), RateLimits::kMaxPauseSeconds);
}

TEST(RateLimits, ARateBelowOneASecond) {
  RateLimits limits({.per_key = 0.1});
  limits.Charge("key", "", 1, 0);
  EXPECT_EQ(limits.PauseOfKey("key", 0), 10);
  EXPECT_FALSE(limits.PauseOfKey("key", 10'000));
}

TEST(RateLimits, NetworksAreToldByTheirPrefix) {
  RateLimits limits({.per_network = 1});
  limits.Charge("", "10.1.2.3", 5, 0);
  EXPECT_TRUE(limits.PauseOfNetwork("10.1.2.200", 0));
  EXPECT_TRUE(limits.PauseOfNetwork("::ffff:10.1.2.9", 0));
  EXPECT_FALSE(limits.PauseOfNetwork("10.1.3.3", 0));
  limits.Charge("", "2001:db8:1:2::3", 5, 0);
  EXPECT_TRUE(limits.PauseOfNetwork("2001:db8:1:ffff::1", 0));
  EXPECT_FALSE(limits.PauseOfNetwork("2001:db8:2::3", 0));
}

// A network that owes much is not forgotten, however many other networks send.
TEST(RateLimits, AMillionNetworksTakeTheirPlacesInTurn) {
  RateLimits limits({.per_network = 100});
  limits.Charge("", "203.0.113.7", 5000, 0);
  for (int i = 0; i < 1'000'000; ++i) {
    limits.Charge("", std::to_string(i >> 16 & 127) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255) + ".1", 1, i / 1000);
  }
  EXPECT_TRUE(limits.PauseOfNetwork("203.0.113.7", 1000));
}

}  // namespace
}  // namespace attune
