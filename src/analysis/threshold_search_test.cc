#include "analysis/threshold_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace attune {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Adds `count` equal users.
void Add(std::vector<Observation>* users, size_t count, double value, bool reached) { users->insert(users->end(), count, {value, reached}); }

using Doubts = std::vector<Doubt>;

TEST(Suggestion, DistributionOfFewValues) {
  std::vector<Observation> users;
  Add(&users, 6, 0, false);
  Add(&users, 2, 3, true);
  Add(&users, 1, 3, false);
  Add(&users, 1, 8, true);
  Add(&users, 2, kNone, true);
  const Distribution d = DistributionOf(users);
  EXPECT_EQ(d.users, 12u);
  EXPECT_EQ(d.reached, 5u);
  EXPECT_EQ(d.with_value, 10u);
  EXPECT_EQ(d.least, 0);
  EXPECT_EQ(d.most, 8);
  EXPECT_EQ(d.quantiles, (std::vector<double>{0, 0, 0, 0, 0, 3, 3, 8, 8}));
  ASSERT_EQ(d.bins.size(), 3u);
  EXPECT_EQ(d.bins[1].from, 3);
  EXPECT_EQ(d.bins[1].to, 3);
  EXPECT_EQ(d.bins[1].users, 3u);
  EXPECT_EQ(d.bins[1].reached, 2u);
  EXPECT_TRUE(DistributionOf({}).bins.empty());
}

TEST(Suggestion, DistributionOfManyValues) {
  std::vector<Observation> users;
  for (int i = 0; i < 1000; ++i) users.push_back({i / 10.0, i % 2 == 0});
  users.push_back({1e9, true});   // an outlier
  users.push_back({-50, false});
  const Distribution d = DistributionOf(users);
  // p1 is 0.9 and p99 is 99: a tenth of the range is 9.81, and the next round width is 10. Outliers are beyond.
  std::vector<double> from;
  uint64_t counted = 0;
  for (const Bin& bin : d.bins) {
    from.push_back(bin.from);
    counted += bin.users;
  }
  EXPECT_EQ(from, (std::vector<double>{-50, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100}));
  EXPECT_EQ(counted, users.size());
  EXPECT_EQ(d.bins[0].users, 101u);
  EXPECT_EQ(d.bins[0].reached, 50u);
  EXPECT_EQ(d.bins[9].users, 100u);
  EXPECT_EQ(d.bins[10].to, 1e9);
  EXPECT_EQ(d.bins[10].users, 1u);
}

TEST(Suggestion, BinsOfUnits) {
  std::vector<Observation> users;
  for (int i = 0; i <= 100; ++i) users.push_back({i * 1.7 * 3600, false});  // in seconds
  const double units[] = {1, 60, 3600, 86'400};
  const Distribution d = DistributionOf(users, units);
  // From 1.7 h to 168.3 h: a tenth is 16.66 h, and the next round number of hours is 20.
  ASSERT_GE(d.bins.size(), 3u);
  EXPECT_EQ(d.bins[1].from, 20 * 3600);
  EXPECT_EQ(d.bins[2].from, 40 * 3600);
}

TEST(Suggestion, BinsOfAwkwardValues) {
  for (const double base : {0.0, 1e18, -1e300, 1e-300}) {
    std::vector<Observation> users;
    for (int i = 0; i < 100; ++i) users.push_back({base + i * std::max(std::abs(base) * 1e-15, 1e-310), false});
    uint64_t counted = 0;
    for (const Bin& bin : DistributionOf(users).bins) counted += bin.users;
    EXPECT_EQ(counted, 100u) << base;
  }
}

TEST(Suggestion, FindsAndChecksACut) {
  std::vector<Observation> chosen, checked;
  Add(&chosen, 60, 1, false);
  Add(&chosen, 20, 7, true);
  Add(&chosen, 10, 7, false);
  Add(&chosen, 10, 12, true);
  Add(&checked, 100, 1, false);
  Add(&checked, 10, 4, false);
  Add(&checked, 40, 9, true);
  const Suggestion s = Suggest(chosen, checked);
  EXPECT_EQ(s.doubts, Doubts());
  ASSERT_TRUE(s.best);
  EXPECT_EQ(s.best->cut.side, Side::kAtLeast);
  EXPECT_EQ(s.best->cut.at, 7);
  EXPECT_EQ(s.best->chosen.in(), 40u);
  EXPECT_EQ(s.best->chosen.reached_in, 30u);
  EXPECT_EQ(s.best->checked.in(), 40u);
  EXPECT_EQ(s.best->checked.missed_out, 110u);
  // p50 is 1, which selects everybody; p75 and p90 are 7 (of 100 values the 75th and 90th), p95 and p99 are 12.
  ASSERT_EQ(s.quantiles.size(), 2u);
  EXPECT_EQ(s.quantiles[0].cut.at, 7);
  EXPECT_EQ(s.quantiles[0].share, 0.75);
  EXPECT_EQ(s.quantiles[1].cut.at, 12);
  EXPECT_EQ(s.quantiles[1].share, 0.95);
}

TEST(Suggestion, LooksBelowToo) {
  std::vector<Observation> users;
  Add(&users, 40, 2, true);
  Add(&users, 10, 2, false);
  Add(&users, 50, 90, false);
  const Suggestion s = Suggest(users, users);
  ASSERT_TRUE(s.best);
  EXPECT_EQ(s.best->cut.side, Side::kAtMost);
  EXPECT_EQ(s.best->cut.at, 10);  // the roundest number from 2 to 90, which selects the same users
  ASSERT_EQ(s.quantiles.size(), 1u);
  EXPECT_EQ(s.quantiles[0].cut.side, Side::kAtMost);
}

TEST(Suggestion, SaysWhatIsDoubtful) {
  std::vector<Observation> good, few, constant, valueless, turned, even;
  Add(&good, 30, 1, false);
  Add(&good, 30, 5, true);
  Add(&few, 100, 1, false);
  Add(&few, 19, 5, true);
  Add(&constant, 30, 1, false);
  Add(&constant, 30, 1, true);
  Add(&constant, 30, kNone, true);
  Add(&valueless, 30, kNone, true);
  Add(&valueless, 30, kNone, false);
  Add(&turned, 30, 5, false);
  Add(&turned, 30, 1, true);
  for (const double value : {1.0, 5.0}) {
    Add(&even, 30, value, false);
    Add(&even, 30, value, true);
  }
  EXPECT_EQ(Suggest(good, good).doubts, Doubts());
  EXPECT_EQ(Suggest(few, good).doubts, Doubts{Doubt::kTooFew});
  EXPECT_EQ(Suggest(good, few).doubts, Doubts{Doubt::kTooFew});
  EXPECT_FALSE(Suggest(good, few).best);
  EXPECT_FALSE(Suggest(good, few).quantiles.empty());
  EXPECT_EQ(Suggest(constant, good).doubts, Doubts{Doubt::kConstant});
  EXPECT_EQ(Suggest(valueless, good).doubts, Doubts{Doubt::kNoValues});
  EXPECT_EQ(Suggest(even, good).doubts, Doubts{Doubt::kNoPower});
  EXPECT_EQ(Suggest(good, turned).doubts, Doubts{Doubt::kContradicted});
  EXPECT_TRUE(Suggest(good, turned).best);
  EXPECT_EQ(Suggest({}, {}).doubts, (Doubts{Doubt::kTooFew, Doubt::kNoValues}));
}

}  // namespace
}  // namespace attune
