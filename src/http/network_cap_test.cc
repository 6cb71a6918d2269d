#include "http/network_cap.h"

#include <gtest/gtest.h>

#include <vector>

namespace attune::http {
namespace {

TEST(NetworkCap, KnowsNetworks) {
  EXPECT_EQ(NetworkOf("203.0.113.7"), NetworkOf("203.0.113.250"));
  EXPECT_NE(NetworkOf("203.0.113.7"), NetworkOf("203.0.114.7"));
  EXPECT_EQ(NetworkOf("::ffff:203.0.113.7"), NetworkOf("203.0.113.250"));
  EXPECT_EQ(NetworkOf("2001:db8:1:2::1"), NetworkOf("2001:db8:1:ffff::2"));
  EXPECT_NE(NetworkOf("2001:db8:1::1"), NetworkOf("2001:db8:2::1"));
  for (const char* none : {"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "", "host"}) {
    EXPECT_EQ(NetworkOf(none), std::nullopt) << none;
  }
}

TEST(NetworkCap, LeavesRoomForOthers) {
  const auto cap = std::make_shared<NetworkCap>(2);
  {
    auto first = cap->Enter("203.0.113.1");
    auto second = cap->Enter("203.0.113.2");
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(cap->Enter("203.0.113.3"));
    EXPECT_TRUE(cap->Enter("203.0.114.1"));
    const auto moved = std::move(*second);
    EXPECT_FALSE(cap->Enter("203.0.113.3"));
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(cap->Enter("127.0.0.1"));
  }
  EXPECT_TRUE(cap->Enter("203.0.113.3"));
}

TEST(NetworkCap, OfNoneHasNoBound) {
  const auto cap = std::make_shared<NetworkCap>(0);
  std::vector<NetworkCap::Place> places;
  for (int i = 0; i < 1000; ++i) {
    auto place = cap->Enter("203.0.113.1");
    ASSERT_TRUE(place);
    places.push_back(std::move(*place));
  }
}

}  // namespace
}  // namespace attune::http
