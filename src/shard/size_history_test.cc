#include "shard/size_history.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace attune {
namespace {

constexpr Millis kSizesStart = 1'772'359'200'000;  // 2026-03-01T10:00:00Z

class SizeHistoryTest : public testing::Test {
 protected:
  SizeHistoryTest() : dir_(testing::TempDir() + "/size_history") { std::filesystem::remove_all(dir_); }
  ~SizeHistoryTest() override { std::filesystem::remove_all(dir_); }

  static std::shared_ptr<const Plan> MakePlan(const std::string& definition) {
    auto loaded = ParsePlan("segments:\n  a: {when: \"" + definition + "\"}\n  b: {when: count(purchase) >= 1}\n");
    EXPECT_TRUE(loaded.plan);
    return std::move(loaded.plan);
  }
  // Takes a sample as the runtime does.
  static void Sample(SizeHistory* history, Store* store, Millis now, std::vector<uint64_t> sizes) {
    WriteBatch batch;
    history->Sample(now, sizes, &batch);
    ASSERT_TRUE(store->Write(batch).ok());
  }

  std::string dir_;
};

using Points = std::vector<SizePoint>;

TEST_F(SizeHistoryTest, APointWhenTheSizeChanged) {
  auto store = *Store::Open(dir_);
  SizeHistory history(*MakePlan("count(any) >= 1"));
  Sample(&history, store.get(), kSizesStart, {0, 0});
  Sample(&history, store.get(), kSizesStart + kMinute, {0, 3});
  Sample(&history, store.get(), kSizesStart + 2 * kMinute, {7, 3});
  EXPECT_EQ(history.Of(0), (Points{{kSizesStart, 0}, {kSizesStart + 2 * kMinute, 7}}));
  EXPECT_EQ(history.Of(1), (Points{{kSizesStart, 0}, {kSizesStart + kMinute, 3}}));
  // Within a minute the last point counts. A clock that was set back does not move instants back.
  Sample(&history, store.get(), kSizesStart + 2 * kMinute + 1000, {8, 3});
  EXPECT_EQ(history.Of(0), (Points{{kSizesStart, 0}, {kSizesStart + 2 * kMinute + 1000, 8}}));
  Sample(&history, store.get(), kSizesStart, {9, 3});
  EXPECT_EQ(history.Of(0), (Points{{kSizesStart, 0}, {kSizesStart + 2 * kMinute + 1000, 9}}));
}

TEST_F(SizeHistoryTest, SurvivesARestartAndRestartsWithANewDefinition) {
  auto store = *Store::Open(dir_);
  const auto plan = MakePlan("count(any) >= 1");
  SizeHistory history(*plan);
  for (int i = 0; i < 2000; ++i) Sample(&history, store.get(), kSizesStart + i * 40'000, {static_cast<uint64_t>(i), 1});
  SizeHistory again(*plan);
  ASSERT_TRUE(again.Restore(*store).ok());
  EXPECT_EQ(again.Of(0), history.Of(0));
  EXPECT_EQ(again.Of(1), history.Of(1));
  EXPECT_EQ(again.Of(0).back(), (SizePoint{kSizesStart + 1999 * 40'000, 1999}));
  SizeHistory other(*MakePlan("count(any) >= 2"));
  ASSERT_TRUE(other.Restore(*store).ok());
  EXPECT_EQ(other.Of(0), Points());
  EXPECT_EQ(other.Of(1), history.Of(1));
}

TEST_F(SizeHistoryTest, PointsGrowFewerAsTheyGrowOld) {
  // Samples of two years, thinned as they come. A point's size is its number.
  std::vector<Millis> taken;
  Points points;
  for (Millis at = kSizesStart; at < kSizesStart + 730 * kDay; at += at < kSizesStart + 720 * kDay ? 30 * kMinute : 20'000) {
    points.push_back({at, taken.size()});
    taken.push_back(at);
    ThinPoints(at, &points);
    ASSERT_LE(points.size(), 750u);
  }
  const Millis now = taken.back();
  size_t minutes = 0, hours = 0, days = 0;
  for (const SizePoint& point : points) {
    EXPECT_EQ(point.at, taken[point.size]);
    const Millis age = now - point.at;
    const Millis span = age <= 3 * kHour ? kMinute : age <= 7 * kDay ? kHour : kDay;
    ++(span == kMinute ? minutes : span == kHour ? hours : days);
    EXPECT_TRUE(point.at == now || taken[point.size + 1] / span != point.at / span) << point.size;
  }
  EXPECT_NEAR(static_cast<double>(minutes), 3 * 60, 1);
  EXPECT_NEAR(static_cast<double>(hours), 7 * 24 - 3, 1);
  EXPECT_NEAR(static_cast<double>(days), 400 - 7, 1);
  EXPECT_LE(now - points.front().at, 400 * kDay);
}

TEST(SizeHistory, ThinsWhatItIsGiven) {
  const Millis now = kSizesStart + 500 * kDay;
  Points points = {
      {now - 401 * kDay, 1},            // too old
      {now - 8 * kDay - 2 * kHour, 2},  // 08:00, the same day as the next (which is 09:00)
      {now - 8 * kDay - kHour, 3},
      {now - kDay - 50 * kMinute, 4},  // 09:10, the same hour as the next
      {now - kDay - 10 * kMinute, 5},  // 09:50
      {now - kDay, 6},                 // 10:00
      {now - kMinute - 2, 7},          // 09:58:59.998, the same minute as the next
      {now - kMinute - 1, 8},
      {now - kMinute, 9},  // 09:59
      {now, 10},
  };
  ThinPoints(now, &points);
  std::vector<uint64_t> kept;
  for (const SizePoint& point : points) kept.push_back(point.size);
  EXPECT_EQ(kept, (std::vector<uint64_t>{3, 5, 6, 8, 9, 10}));
}

}  // namespace
}  // namespace attune
