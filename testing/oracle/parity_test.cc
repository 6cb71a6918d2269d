// Random plans over random histories: compares the oracle with itself (searching for timed changes, and testing every
// millisecond), and the engine with the oracle.
//
// ATTUNE_PARITY_CASES is the number of cases of each test (default 150), ATTUNE_PARITY_SEED the first seed. With a seed
// and one case, only that case runs.
#include "oracle/parity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "oracle/identity.h"

#if __has_include("oracle/engine_run.h")
#include "oracle/engine_run.h"
#define ATTUNE_HAS_ENGINE_RUN 1
#endif

namespace attune::oracle {
namespace {

// An engine that gets records one by one. Users are merged only where histories are kept.
constexpr Features kOneUserEach = [] {
  Features has = Features::All();
  has.identity = false;
  return has;
}();

void CompareWithOracle(const CaseOptions& options, const RunFn& run, bool with_values = true) {
  const uint64_t first = Setting("ATTUNE_PARITY_SEED", 1);
  const uint64_t cases = Setting("ATTUNE_PARITY_CASES", 150);
  for (uint64_t seed = first; seed < first + cases; ++seed) {
    // Printed before the run, so that a crash also shows its seed.
    testing::Test::RecordProperty("seed", std::to_string(seed));
    if (cases == 1) std::fprintf(stderr, "%s", PlanText(Generate(seed, options)).c_str());
    Case made = Generate(seed, options);
    if (!with_values) made.options.at.clear();
    const std::string difference = Difference(made, run);
    if (difference.empty()) continue;
    FAIL() << Report(Shrink(made, run), run);
  }
}

RunResult RunEveryMillisecond(const Plan& plan, const std::vector<Record>& records,
                              RunOptions options) {
  options.every_millisecond = true;
  return RunNaively(plan, records, options);
}

TEST(OracleParityTest, SearchingFindsWhatTryingEveryMillisecondFinds) {
  CompareWithOracle({Scale::kSeconds, true, Features::All()}, RunEveryMillisecond);
}

TEST(OracleParityTest, FewSearchesAreGivenUpAndMostCasesDoSomething) {
  int given_up = 0;
  int transitions = 0;
  int firings = 0;
  int of_keys = 0;
  int merges = 0;
  for (const Scale scale : {Scale::kSeconds, Scale::kDays}) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
      const Case made = Generate(seed, {scale, true, Features::All()});
      const RunResult result = RunNaively(*Load(made), made.records, made.options);
      given_up += result.gave_up;
      transitions += !result.transitions.empty();
      firings += !result.firings.empty();
      of_keys += std::any_of(result.firings.begin(), result.firings.end(),
                             [](const Firing& firing) { return !firing.key.empty(); });
      Identity identity;
      const auto merged = [&](const Record& record) { return identity.TakeIn(record).has_value(); };
      merges += std::count_if(made.records.begin(), made.records.end(), merged) > 0;
    }
  }
  EXPECT_LE(given_up, 1);
  EXPECT_GE(transitions, 75);
  EXPECT_GE(firings, 25);
  EXPECT_GE(of_keys, 5);
  EXPECT_GE(merges, 20);
}

// Otherwise the tests of catch_up below would test nothing.
TEST(OracleParityTest, ManyCasesReachTheirCatchUp) {
  int reached = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Case made = Generate(seed, {Scale::kDays, false, Features::All(), true});
    const RunResult few = RunNaively(*Load(made), made.records, made.options);
    made.catch_up.reset();
    reached += !Difference(few, RunNaively(*Load(made), made.records, made.options)).empty();
  }
  EXPECT_GE(reached, 10);
}

// A run with a deliberate error: every exit is a millisecond late.
TEST(OracleParityTest, ShrinkingLeavesWhatIsNeeded) {
  const RunFn wrong = [](const Plan& plan, const std::vector<Record>& records,
                         const RunOptions& options) {
    RunResult result = RunNaively(plan, records, options);
    for (Transition& transition : result.transitions) transition.at += !transition.enter;
    return result;
  };
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Case made = Generate(seed, {Scale::kSeconds, false, Features::All()});
    if (Difference(made, wrong).empty()) continue;
    const Case small = Shrink(made, wrong);
    EXPECT_FALSE(Difference(small, wrong).empty());
    EXPECT_EQ(small.segments.size(), 1u);
    EXPECT_TRUE(small.metrics.empty()) << Report(small, wrong);
    EXPECT_TRUE(small.triggers.empty());
    EXPECT_LE(small.records.size(), 4u) << Report(small, wrong);
  }
}

#ifdef ATTUNE_HAS_ENGINE_RUN
TEST(EngineParityTest, Seconds) {
  CompareWithOracle({Scale::kSeconds, false, Features::All()}, RunEngine);
}
TEST(EngineParityTest, Days) { CompareWithOracle({Scale::kDays, false, Features::All()}, RunEngine); }
TEST(EngineParityTest, ExoticSeconds) {
  CompareWithOracle({Scale::kSeconds, true, Features::All()}, RunEngine);
}
TEST(EngineParityTest, ExoticDays) {
  CompareWithOracle({Scale::kDays, true, Features::All()}, RunEngine);
}
TEST(EngineParityTest, LongSeriesSeconds) {
  CompareWithOracle({Scale::kSeconds, false, Features::All()}, RunEngineWithLongSeries);
}
TEST(EngineParityTest, LongSeriesExoticDays) {
  CompareWithOracle({Scale::kDays, true, Features::All()}, RunEngineWithLongSeries);
}
TEST(EngineParityTest, RestoredBeforeEveryRecord) {
  CompareWithOracle({Scale::kSeconds, false, kOneUserEach}, RunEngineRestored, false);
}
// With a small limits.catch_up.
TEST(EngineParityTest, CatchUpSeconds) {
  CompareWithOracle({Scale::kSeconds, false, Features::All(), true}, RunEngine);
}
TEST(EngineParityTest, CatchUpDays) {
  CompareWithOracle({Scale::kDays, false, Features::All(), true}, RunEngine);
}
TEST(EngineParityTest, CatchUpRestoredBeforeEveryRecord) {
  CompareWithOracle({Scale::kDays, false, kOneUserEach, true}, RunEngineRestored, false);
}
#endif

}  // namespace
}  // namespace attune::oracle
