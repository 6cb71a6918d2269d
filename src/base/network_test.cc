#include "base/network.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Network, SaysNoMoreOfAnAddress) {
  EXPECT_EQ(NetworkOf("203.0.113.77"), "203.0.113.0/24");
  EXPECT_EQ(NetworkOf("::ffff:203.0.113.77"), "203.0.113.0/24");
  EXPECT_EQ(NetworkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1::/48");
  EXPECT_EQ(NetworkOf("::1"), "::/48");
  EXPECT_EQ(NetworkOf(""), "-");
  EXPECT_EQ(NetworkOf("ann@example.org"), "-");
}

TEST(Network, KnowsThisMachine) {
  for (const char* here : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"}) EXPECT_TRUE(IsLoopback(NetworkOf(here))) << here;
  for (const char* other : {"203.0.113.7", "12.7.0.1", "2001:db8::1", ""}) EXPECT_FALSE(IsLoopback(NetworkOf(other))) << other;
}

}  // namespace
}  // namespace attune
