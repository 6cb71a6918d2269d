#include "analysis/cut.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace attune {
namespace {

constexpr double kNoCut = std::numeric_limits<double>::quiet_NaN();

// R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998) 857-872,
// table I, method 3.
TEST(Interval, OfAShareIsWilsons) {
  struct Case {
    uint64_t successes, trials;
    double low, high;
  };
  for (const Case& c : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605}, Case{0, 20, 0, 0.1611}, Case{1, 29, 0.0061, 0.1718}}) {
    const Interval i = WilsonInterval(c.successes, c.trials);
    EXPECT_NEAR(i.low, c.low, 0.00005) << c.successes;
    EXPECT_NEAR(i.high, c.high, 0.00005) << c.successes;
    const Interval other = WilsonInterval(c.trials - c.successes, c.trials);
    EXPECT_NEAR(other.low, 1 - i.high, 1e-12);
    EXPECT_NEAR(other.high, 1 - i.low, 1e-12);
  }
  EXPECT_EQ(WilsonInterval(0, 0).low, 0);
  EXPECT_EQ(WilsonInterval(0, 0).high, 1);
  EXPECT_EQ(WilsonInterval(7, 7).high, 1);
}

// The same, 873-890, table II, method 10.
TEST(Interval, OfADifferenceIsNewcombes) {
  struct Case {
    uint64_t a, of_a, b, of_b;
    double low, high;
  };
  for (const Case& c : {Case{56, 70, 48, 80, 0.0524, 0.3339}, Case{9, 10, 3, 10, 0.1705, 0.8090}, Case{6, 7, 2, 7, 0.0582, 0.8062},
                        Case{5, 56, 0, 29, -0.0381, 0.1926}, Case{0, 10, 0, 10, -0.2775, 0.2775}, Case{10, 10, 0, 10, 0.6075, 1}}) {
    const Interval i = DifferenceInterval(c.a, c.of_a, c.b, c.of_b);
    EXPECT_NEAR(i.low, c.low, 0.00005) << c.a;
    EXPECT_NEAR(i.high, c.high, 0.00005) << c.a;
  }
}

TEST(Cut, FiguresByHand) {
  // In: 6 reached, 2 did not. Out: 4 and 28. So 6 of the 10 who reached are in, and 2 of the 30 who did not.
  const Confusion c{6, 2, 4, 28};
  EXPECT_EQ(c.in(), 8u);
  EXPECT_EQ(c.all(), 40u);
  EXPECT_NEAR(YoudenJ(c), 0.6 + 28.0 / 30 - 1, 1e-12);
  EXPECT_NEAR(*Precision(c), 0.75, 1e-12);
  EXPECT_NEAR(*Recall(c), 0.6, 1e-12);
  EXPECT_NEAR(*Lift(c), 3, 1e-12);
  // 1/6 - 1/8 - 1/10 + 12/80 - 1/40 = 1/15; its root times 1.96 is 0.506059.
  EXPECT_NEAR(LiftInterval(c)->low, 3 * std::exp(-0.506059), 1e-5);
  EXPECT_NEAR(LiftInterval(c)->high, 3 * std::exp(0.506059), 1e-5);
  const Confusion nobody{0, 0, 4, 28};
  EXPECT_FALSE(Precision(nobody));
  EXPECT_FALSE(Lift(nobody));
  EXPECT_FALSE(LiftInterval(nobody));
  EXPECT_FALSE(LiftInterval({0, 3, 4, 28}));
  const Interval all = *LiftInterval({4, 28, 0, 0});  // everybody is in: the lift is always 1
  EXPECT_EQ(all.low, 1);
  EXPECT_EQ(all.high, 1);
}

// Compares the delta method with many samples of one population.
TEST(Cut, TheIntervalOfTheLiftHoldsIt) {
  const double shares[] = {0.10, 0.15, 0.15, 0.60};  // precision 0.4, of all 0.25: lift 1.6
  std::mt19937_64 random(3);
  std::discrete_distribution<int> cell(std::begin(shares), std::end(shares));
  int held = 0;
  constexpr int kSamples = 2000;
  for (int i = 0; i < kSamples; ++i) {
    uint64_t counts[4] = {};
    for (int user = 0; user < 400; ++user) ++counts[cell(random)];
    const auto interval = LiftInterval({counts[0], counts[1], counts[2], counts[3]});
    ASSERT_TRUE(interval);
    held += interval->low <= 1.6 && 1.6 <= interval->high;
  }
  EXPECT_GT(held, kSamples * 0.93);
  EXPECT_LT(held, kSamples * 0.97);
}

TEST(Cut, TheBestByHand) {
  const Observation users[] = {{1, false}, {2, false}, {3, true}, {3, false}, {4, true}, {5, true}};
  // At least 3 selects 3 of 3 who reached it and 1 of 3 others: 1 - 1/3. At least 4: 2/3 - 0, equal with fewer in.
  const auto best = BestCut(users);
  ASSERT_TRUE(best);
  EXPECT_EQ(best->side, Side::kAtLeast);
  EXPECT_EQ(best->at, 4);
  EXPECT_NEAR(YoudenJ(Judge(users, *best)), 2.0 / 3, 1e-12);
  const Observation turned[] = {{1, true}, {2, true}, {3, false}, {kNoCut, false}};
  EXPECT_EQ(BestCut(turned)->side, Side::kAtMost);
  EXPECT_EQ(BestCut(turned)->at, 2);
  const Observation constant[] = {{1, true}, {1, false}, {kNoCut, false}};
  EXPECT_FALSE(BestCut(constant));
  const Observation all[] = {{1, true}, {2, true}};
  EXPECT_FALSE(BestCut(all));
  EXPECT_FALSE(BestCut({}));
}

TEST(Cut, TheBestIsThatOfTryingAll) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<Observation> users(2 + random() % 40);
    const uint64_t values = 2 + random() % 8;
    for (Observation& o : users) {
      const uint64_t value = random() % values;
      o = {value == 0 ? kNoCut : static_cast<double>(value), random() % values < value};
    }
    double best = -2;
    for (const Side side : {Side::kAtLeast, Side::kAtMost}) {
      for (double at = 1; at < static_cast<double>(values); ++at) {
        uint64_t in[2] = {}, all[2] = {};
        for (const Observation& o : users) {
          ++all[o.reached];
          in[o.reached] += side == Side::kAtLeast ? o.value >= at : o.value <= at;
        }
        if (all[0] == 0 || all[1] == 0) continue;
        const double sensitivity = static_cast<double>(in[1]) / static_cast<double>(all[1]);
        const double specificity = static_cast<double>(all[0] - in[0]) / static_cast<double>(all[0]);
        best = std::max(best, sensitivity + specificity - 1);
      }
    }
    const auto cut = BestCut(users);
    if (cut) {
      EXPECT_NEAR(YoudenJ(Judge(users, *cut)), best, 1e-12) << "seed " << seed;
    }
  }
}

TEST(Cut, QuantilesAreTheLanguages) {
  const double sorted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(QuantileOf(sorted, 0), 1);
  EXPECT_EQ(QuantileOf(sorted, 0.1), 1);
  EXPECT_EQ(QuantileOf(sorted, 0.11), 2);
  EXPECT_EQ(QuantileOf(sorted, 0.5), 5);
  EXPECT_EQ(QuantileOf(sorted, 0.7), 7);
  EXPECT_EQ(QuantileOf(sorted, 1), 10);
}

TEST(Cut, IsRoundedWithinTheGap) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  struct Case {
    Side side;
    double at, neighbour, rounded;
  };
  for (const Case& c : {Case{Side::kAtLeast, 7.3, 5, 7}, Case{Side::kAtLeast, 12.34, 12.31, 12.34}, Case{Side::kAtLeast, 12.38, 12.29, 12.3},
                        Case{Side::kAtLeast, 0.37, 0.28, 0.3}, Case{Side::kAtLeast, 1234, 890, 1000}, Case{Side::kAtLeast, 3, 2, 3},
                        Case{Side::kAtLeast, 4, -kInfinity, 4}, Case{Side::kAtLeast, 5, -1, 0},
                        Case{Side::kAtMost, 5.2, 7.3, 6}, Case{Side::kAtMost, 0.91, 1.7, 1}, Case{Side::kAtMost, 95, 130, 100},
                        Case{Side::kAtMost, 3, 4, 3}, Case{Side::kAtMost, 4, kInfinity, 4}}) {
    EXPECT_EQ(Rounded({c.side, c.at}, c.neighbour), c.rounded) << c.at << " from " << c.neighbour;
  }
  const double units[] = {1, 1000, 60'000, 3'600'000, 86'400'000};
  EXPECT_EQ(Rounded({Side::kAtLeast, 90'500'000}, 80'000'000, units), 86'400'000);
  EXPECT_EQ(Rounded({Side::kAtLeast, 7'300'000}, 7'250'000, units), 7'260'000);
  EXPECT_EQ(Rounded({Side::kAtMost, 61'001}, 61'900, units), 61'001);
  EXPECT_EQ(Rounded({Side::kAtMost, 61'001}, 62'001, units), 62'000);
}

}  // namespace
}  // namespace attune
