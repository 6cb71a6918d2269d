#include "base/server_clock.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

// Both clocks are set by the test.
struct Hands {
  Millis wall = 1'000 * kDay;
  Millis boot = 5 * kHour;
  ServerClock Make(Millis floor = kAlways) {
    return ServerClock(floor, [this] { return wall; }, [this] { return boot; });
  }
  void Pass(Millis time) {
    wall += time;
    boot += time;
  }
};

TEST(ServerClock, SaysWhatTheWallClockSays) {
  Hands hands;
  ServerClock clock = hands.Make();
  EXPECT_EQ(clock.Now(), hands.wall);
  hands.Pass(kMinute);
  EXPECT_EQ(clock.Now(), hands.wall);
  hands.wall += kHour;  // the wall clock was behind
  EXPECT_EQ(clock.Now(), hands.wall);
  EXPECT_EQ(clock.leap(), 0);
}

TEST(ServerClock, FollowsASleepHoweverLong) {
  Hands hands;
  ServerClock clock = hands.Make();
  hands.Pass(100 * kDay);
  EXPECT_EQ(clock.Now(), hands.wall);
}

TEST(ServerClock, NeverGoesBackAndWaitsForTheWallClock) {
  Hands hands;
  ServerClock clock = hands.Make();
  Millis last = clock.Now();
  hands.wall -= kHour;
  EXPECT_EQ(clock.Now(), last);
  for (int i = 0; i < 7'200; ++i) {
    hands.Pass(kSecond);
    const Millis now = clock.Now();
    ASSERT_EQ(now - last, kSecond / 2) << i;
    last = now;
  }
  EXPECT_EQ(last, hands.wall);
  hands.Pass(kSecond);
  EXPECT_EQ(clock.Now(), hands.wall);
}

TEST(ServerClock, HalfItsPaceHoweverOftenItIsAsked) {
  Hands hands;
  ServerClock clock = hands.Make();
  const Millis began = clock.Now();
  hands.wall -= kHour;
  for (int i = 0; i < 1'001; ++i) {
    hands.Pass(1);
    clock.Now();
  }
  EXPECT_EQ(clock.Now() - began, 500);
}

TEST(ServerClock, DoesNotFollowALeap) {
  for (const Millis leap : {730 * kDay, -730 * kDay, ServerClock::kLeap + 1, -ServerClock::kLeap - 1}) {
    Hands hands;
    ServerClock clock = hands.Make();
    const Millis before = clock.Now();
    hands.wall += leap;
    hands.Pass(kMinute);
    EXPECT_EQ(clock.Now(), before + kMinute);
    EXPECT_EQ(clock.leap(), leap);
    hands.wall -= leap;  // corrected
    hands.Pass(kMinute);
    EXPECT_EQ(clock.Now(), before + 2 * kMinute);
    EXPECT_EQ(clock.leap(), 0);
  }
}

TEST(ServerClock, GoesOnWhereAnEarlierProcessWas) {
  Hands hands;
  ServerClock clock = hands.Make(hands.wall + kMinute);
  EXPECT_EQ(clock.Now(), hands.wall + kMinute);
  hands.Pass(2 * kMinute);
  EXPECT_EQ(clock.Now(), hands.wall);
}

}  // namespace
}  // namespace attune
