// Whole runs, against transitions worked out by hand from docs/language.md.
#include "oracle/timeline.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace attune::oracle {
namespace {

constexpr const char* kAnn = "ann";

std::unique_ptr<Plan> Load(const std::string& yaml) {
  LoadedPlan loaded = ParsePlan(yaml);
  for (const Problem& problem : loaded.problems) {
    EXPECT_TRUE(problem.warning) << ToText(problem);
  }
  return std::move(loaded.plan);
}

// `1000 +busy, 1500 -busy, 1500 +calm*`: the star marks a corrected change.
std::string Changes(const std::string& yaml, const std::vector<Record>& records,
                    std::optional<Millis> until = std::nullopt) {
  const std::unique_ptr<Plan> plan = Load(yaml);
  if (!plan) return "no plan";
  std::string text;
  for (const bool every_millisecond : {false, true}) {
    const RunOptions options{until, {}, every_millisecond};
    std::string run;
    for (const Transition& t : RunNaively(*plan, records, options).transitions) {
      if (!run.empty()) run += ", ";
      run += std::to_string(t.at) + (t.enter ? " +" : " -") + t.segment;
      if (t.user != kAnn) run += "@" + t.user;
      if (t.corrected) run += "*";
    }
    if (every_millisecond) {
      EXPECT_EQ(run, text) << "searched and counted through differ";
    }
    text = run;
  }
  return text;
}

class Log {
 public:
  Log& Add(const char* name, Millis time, const char* id = "", const char* user = kAnn) {
    const std::string number = "e" + std::to_string(records_.size());
    records_.push_back(Track(*id ? id : number, user, name, time));
    return *this;
  }
  Log& Identify(Millis time, const char* traits) {
    const std::string number = "e" + std::to_string(records_.size());
    records_.push_back(Fact(EventKind::kIdentify, number, kAnn, time, traits));
    return *this;
  }
  operator const std::vector<Record>&() const { return records_; }  // NOLINT: reads as a list

 private:
  std::vector<Record> records_;
};

std::string Segment(const std::string& name, const std::string& when) {
  return "segments:\n  " + name + ":\n    when: '" + when + "'\n";
}

TEST(TimelineTest, AWindowAgesOutAtItsVeryInstant) {
  const std::string plan = Segment("s", "count(a[500ms]) >= 2");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1499), 3000), "1499 +s, 1500 -s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1500), 3000), "");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1499), 1499), "1499 +s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1499), 1500), "1499 +s, 1500 -s");
}

TEST(TimelineTest, AnOldEventOutAndANewOneInAtOneInstantChangeNothing) {
  const std::string plan = Segment("s", "count(a[500ms]) >= 1");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1500), 2000), "1000 +s, 2000 -s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1501), 1999),
            "1000 +s, 1500 -s, 1501 +s");
}

TEST(TimelineTest, TwoEventsOfOneMillisecondEnterAndLeave) {
  const std::string plan = Segment("s", "count(a) = 1");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1000)), "1000 +s, 1000 -s");
}

TEST(TimelineTest, TrueFromTheFirstRecordOn) {
  const std::string plan = Segment("s", "count(purchase[500ms]) = 0");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000)), "1000 +s");
  EXPECT_EQ(Changes(plan, Log().Identify(1000, "{}")), "1000 +s");
  EXPECT_EQ(Changes(plan, Log().Add("purchase", 1000), 1600), "1500 +s");
  EXPECT_EQ(Changes(plan, Log(), 1600), "");
}

TEST(TimelineTest, TheClockRunsToTheLatestRecordOfAll) {
  const std::string plan = Segment("s", "count(a[500ms]) >= 1");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1500, "", "bob")), "1000 +s, 1500 -s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1499, "", "bob")), "1000 +s");
}

TEST(TimelineTest, ALateEventCorrectsNow) {
  const std::string plan = Segment("s", "count(a[500ms]) >= 2");
  // Late, and counted at once; then it expires at its own time.
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 900), 2000),
            "1000 +s*, 1400 -s");
  // Late, and already expired.
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 500), 2000), "");
  // Reported changes are not taken back, and nothing is reported in between.
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 2000).Add("a", 1100), 2000), "");
  // A late event can end a membership.
  EXPECT_EQ(Changes(Segment("s", "count(a) = 1"), Log().Add("a", 1000).Add("a", 900)),
            "1000 +s, 1000 -s*");
}

TEST(TimelineTest, EventsOfOtherUsersMakeNobodyLate) {
  const std::string plan = Segment("s", "count(a) >= 1");
  EXPECT_EQ(Changes(plan, Log().Add("a", 5000, "", "bob").Add("a", 1000)), "1000 +s, 5000 +s@bob");
}

TEST(TimelineTest, AnEventAtTheClockIsNotLate) {
  const std::string plan = Segment("s", "count(b) >= 1");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1000)), "1000 +s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 999)), "1000 +s*");
}

TEST(TimelineTest, DuplicatesLeaveNoTrace) {
  const std::string plan = "dedupe: 500ms\n" + Segment("s", "count(a) >= 2");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 1000, "x")), "");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 1499, "x")), "");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 1500, "x")), "1500 +s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 501, "x")), "");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 500, "x")), "1000 +s*");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 1000, "x", "bob")), "");
  // A dropped record does not move the clock: 1200 is not late.
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000, "x").Add("a", 1400, "x").Add("a", 1200)), "1200 +s");
}

TEST(TimelineTest, AbsenceFallsDueByItself) {
  const std::string plan = Segment("s", "a then no b for 500ms");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000), 9000), "1500 +s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1500), 9000), "");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1501), 9000), "1500 +s, 1501 -s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1400), 9000), "1900 +s");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1000), 9000), "1500 +s");
}

TEST(TimelineTest, SessionsCloseByThemselves) {
  const std::string plan =
      "sessions: {gap: 100ms}\n" + Segment("s", "count(any[session]) >= 2");
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("b", 1100), 2000), "1100 +s, 1201 -s");
  // A late event joins two sessions into one of three.
  const std::string three =
      "sessions: {gap: 100ms}\n" + Segment("s", "count(any[session]) >= 3");
  EXPECT_EQ(Changes(three, Log().Add("a", 1000).Add("a", 1200).Add("a", 1100), 2000),
            "1200 +s*, 1301 -s");
}

TEST(TimelineTest, ExpressionsThatMove) {
  const std::string score = Segment("s", "since(a) / 100ms + count(b[100ms]) >= 3");
  EXPECT_EQ(Changes(score, Log().Add("a", 1000).Add("b", 1250), 2000),
            "1250 +s");  // 2.5 + 1
  EXPECT_EQ(Changes(score, Log().Add("a", 1000).Add("b", 1150), 2000),
            "1200 +s, 1250 -s, 1300 +s");
  const std::string rounded = Segment("s", "round(age(a) / 100ms) = 3");
  EXPECT_EQ(Changes(rounded, Log().Add("a", 1000), 2000), "1250 +s, 1350 -s");
  const std::string at = Segment("s", "since(a) = 300ms");
  EXPECT_EQ(Changes(at, Log().Add("a", 1000), 2000), "1300 +s, 1301 -s");
}

TEST(TimelineTest, TheCalendarEndsMemberships) {
  const Millis midnight = *ParseRfc3339("2026-03-28T23:00:00Z");  // in Warsaw
  const auto log = Log().Add("a", midnight - 10).Add("a", midnight + 10);
  EXPECT_EQ(Changes("timezone: Europe/Warsaw\n" + Segment("s", "count(a[today]) >= 1"), log),
            std::to_string(midnight - 10) + " +s, " + std::to_string(midnight) + " -s, " +
                std::to_string(midnight + 10) + " +s");
  EXPECT_EQ(Changes("timezone: Europe/Warsaw\n" + Segment("s", "weekday() = 7"), log),
            std::to_string(midnight) + " +s");
}

TEST(TimelineTest, SegmentsThatReferToOthersFollowAtOnce) {
  const std::string plan = R"(
segments:
  busy: {when: 'count(a[500ms]) >= 2'}
  calm: {when: 'not in_segment(busy)'}
)";
  EXPECT_EQ(Changes(plan, Log().Add("a", 1000).Add("a", 1200), 1600),
            "1000 +calm, 1200 +busy, 1200 -calm, 1500 -busy, 1500 +calm");
}

TEST(TimelineTest, ValuesAreWhatWasKnownThen) {
  const std::unique_ptr<Plan> plan = Load(R"(
metrics: {n: 'count(a)', none: 'first_time(b)', last: 'last_time(a)', idle: 'since(a)'}
segments:
  two: {when: 'count(a) >= 2'}
)");
  const auto values = [&](const std::vector<Record>& records, const std::vector<Millis>& at) {
    std::string text;
    for (const UserValues& value : RunNaively(*plan, records, {9000, at, false}).values) {
      text += ToText(value) + "\n";
    }
    return text;
  };
  EXPECT_EQ(values(Log().Add("a", 1000), {999}), "");
  EXPECT_EQ(values(Log().Add("a", 1000), {1000}),
            R"({"at":"1970-01-01T00:00:01.000Z","user":"ann","metrics":{"idle":0,)"
            R"("last":"1970-01-01T00:00:01.000Z","n":1},"segments":[]})" "\n");
  // The event of 1200 arrives after the clock has passed 1500.
  const auto log = Log().Add("a", 1000).Add("a", 2000).Add("a", 1200);
  EXPECT_EQ(values(log, {1500}),
            R"({"at":"1970-01-01T00:00:01.500Z","user":"ann","metrics":{"idle":500,)"
            R"("last":"1970-01-01T00:00:01.000Z","n":1},"segments":[]})" "\n");
  EXPECT_EQ(values(log, {2000}),
            R"({"at":"1970-01-01T00:00:02.000Z","user":"ann","metrics":{"idle":0,)"
            R"("last":"1970-01-01T00:00:02.000Z","n":3},"segments":["two"]})" "\n");
}

}  // namespace
}  // namespace attune::oracle
