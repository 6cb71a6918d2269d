// Every *.scenario of this folder, through the engine and through the oracle; those of pending/,
// which the engine does not run yet, through the oracle alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "scenarios/scenario.h"

namespace attune::scenario {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(ATTUNE_SOURCE_DIR) / "tests/scenarios";

std::vector<std::string> Names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".scenario") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

class ScenarioTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { Read(kFolder); }

  void Read(const std::filesystem::path& folder) {
    const auto path = folder / (GetParam() + ".scenario");
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    const auto read = ReadScenario(text.str());
    ASSERT_TRUE(read.ok()) << path.string() << ": " << read.error().message;
    scenario_ = *read;
  }

  void ExpectAnswers(const Outcome& outcome) {
    for (size_t i = 0; i < scenario_.checks.size(); ++i) {
      const Check& check = scenario_.checks[i];
      EXPECT_EQ(outcome.answers[i], check.answer) << "line " << check.line << ", " << check.question;
    }
  }

  void ExpectOracle() {
    const auto outcome = RunOracle(scenario_);
    ASSERT_TRUE(outcome.ok()) << outcome.error().message;
    EXPECT_EQ(Lines(outcome->then), Lines(scenario_.then));
    ExpectAnswers(*outcome);
  }

  Scenario scenario_;
};

class PendingScenarioTest : public ScenarioTest {
 protected:
  void SetUp() override { Read(kFolder / "pending"); }
};

TEST_P(ScenarioTest, Engine) {
  const auto outcome = RunEngine(scenario_);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  EXPECT_EQ(Lines(outcome->then), Lines(scenario_.then));
  ExpectAnswers(*outcome);
  for (size_t i = 0; i < scenario_.given.size(); ++i) {
    EXPECT_EQ(outcome->fates[i], scenario_.given[i].fate) << "line " << scenario_.given[i].line;
  }
}

TEST_P(ScenarioTest, Oracle) { ExpectOracle(); }
TEST_P(PendingScenarioTest, Oracle) { ExpectOracle(); }

INSTANTIATE_TEST_SUITE_P(All, ScenarioTest, testing::ValuesIn(Names(kFolder)),
                         [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(All, PendingScenarioTest, testing::ValuesIn(Names(kFolder / "pending")),
                         [](const auto& info) { return info.param; });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(PendingScenarioTest);

TEST(ReadScenario, ReportsMistakesWithPositions) {
  constexpr struct {
    const char* text;
    const char* problem;
  } kBad[] = {
      {"plan:\ngiven:\n", "line 2: a scenario has a plan:, a given: and a then:"},
      {"given:\n  10-00 ann a\n", "line 2: expected a time, such as 10:00:00 or 2026-03-29 10:00:00.250"},
      {"given:\n  10:00:00 ann a {x: 1} early\n", "line 2: did not expect \"early\""},
      {"then:\n  10:00:00 ann enters s 5\n", "line 2: did not expect \"5\""},
      {"whatever\n", "line 1: expected plan:, given:, when …, then: or and at …"},
      {"and at 10:00:00 ann was in s\n",
       "line 1: expected: and at TIME USER has METRIC = VALUE, is in SEGMENT, … or is unknown"},
  };
  for (const auto& [text, problem] : kBad) {
    const auto read = ReadScenario(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().message, problem);
  }
}

}  // namespace
}  // namespace attune::scenario
