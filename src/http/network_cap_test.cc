#include "http/network_cap.h"

#include <gtest/gtest.h>

#include <vector>

namespace attune::http {
namespace {

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
