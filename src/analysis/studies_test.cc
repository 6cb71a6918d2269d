#include "analysis/studies.h"

#include <gtest/gtest.h>

#include <future>

namespace attune {
namespace {

StudyOutcome Done(std::string result) { return {std::move(result)}; }

TEST(Studies, KeepsTheOutcomeOfOneThatNobodyWaitsFor) {
  Studies studies;
  std::promise<void> goes_on;
  const auto id = studies.Begin([&](StudyProgress* progress) {
    progress->total = 7;
    progress->done = 3;
    goes_on.get_future().get();
    return Done("{}");
  });
  ASSERT_TRUE(id.has_value());
  EXPECT_FALSE(studies.Begin([](StudyProgress*) { return Done("1"); }).has_value()) << "one at a time";
  EXPECT_FALSE(studies.Find(*id)->outcome.has_value());
  goes_on.set_value();
  while (!studies.Find(*id)->outcome) std::this_thread::yield();
  const Studies::View view = *studies.Find(*id);
  EXPECT_EQ(view.done, 3u);
  EXPECT_EQ(view.total, 7u);
  EXPECT_EQ(view.outcome->result, "{}");
  EXPECT_FALSE(studies.Find("none").has_value());
  EXPECT_TRUE(studies.Cancel(*id));
  EXPECT_FALSE(studies.Find(*id).has_value());
  EXPECT_FALSE(studies.Cancel(*id));
}

TEST(Studies, PassesTheOutcomeToTheCallback) {
  Studies studies;
  std::promise<StudyOutcome> outcome;
  const auto id = studies.Begin(
      [](StudyProgress*) -> StudyOutcome {
        return {"", StudyOutcome::Failure{Code::kLogUnreadable, "torn"}};
      },
      [&](StudyOutcome given) { outcome.set_value(std::move(given)); });
  const StudyOutcome given = outcome.get_future().get();
  EXPECT_EQ(given.failure->code, Code::kLogUnreadable);
  EXPECT_EQ(given.failure->detail, "torn");
  EXPECT_FALSE(studies.Find(*id).has_value());
}

TEST(Studies, StopCancelsTheRunningStudy) {
  Studies studies;
  std::promise<StudyOutcome> outcome;
  ASSERT_TRUE(studies.Begin(
      [](StudyProgress* progress) {
        while (!progress->cancelled) std::this_thread::yield();
        return Done("half");
      },
      [&](StudyOutcome given) { outcome.set_value(std::move(given)); }));
  studies.Stop();
  const StudyOutcome given = outcome.get_future().get();
  EXPECT_EQ(given.failure->code, Code::kDraining);
  EXPECT_EQ(given.failure->retry_seconds, 1);
  EXPECT_FALSE(studies.Begin([](StudyProgress*) { return Done("1"); }).has_value());
}

}  // namespace
}  // namespace attune
