// Firings of whole runs, worked out by hand from docs/language.md.
#include "oracle/trigger_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "oracle/timeline.h"

namespace attune::oracle {
namespace {

// `1000 t, 1500 t(7){"x":1}`: the key in parentheses, values if there are any.
std::string Fires(const std::string& yaml, const std::vector<Record>& records,
                  std::optional<Millis> until = std::nullopt) {
  LoadedPlan loaded = ParsePlan(yaml);
  for (const Problem& problem : loaded.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
  if (!loaded.plan) return "no plan";
  std::string text;
  for (const bool every_millisecond : {false, true}) {
    std::string run;
    for (const Firing& f :
         RunNaively(*loaded.plan, records, {until, {}, every_millisecond}).firings) {
      if (!run.empty()) run += ", ";
      run += std::to_string(f.at) + " " + f.trigger;
      if (!f.key.empty()) run += "(" + f.key + ")";
      if (f.values != "{}") run += f.values;
      if (f.user != "ann") run += "@" + f.user;
    }
    if (every_millisecond) {
      EXPECT_EQ(run, text) << "searched and counted through differ";
    }
    text = run;
  }
  return text;
}

// `a 1000` or `a 1000 {"k":1}`, one after the other in the log.
std::vector<Record> LogOf(const std::vector<std::tuple<const char*, Millis, const char*>>& events) {
  std::vector<Record> records;
  for (const auto& [name, time, properties] : events) {
    records.push_back(Track("e" + std::to_string(records.size()), "ann", name, time, properties));
  }
  return records;
}

std::string Trigger(const std::string& settings) {
  return "timezone: UTC\ntriggers:\n  t: {" + settings + "}\n";
}

TEST(TriggerRunTest, FiresAtTransitionsAndEvents) {
  const auto log = LogOf({{"a", 1000, R"({"n":2})"}, {"b", 1200, ""}, {"a", 2000, R"({"n":3})"}});
  EXPECT_EQ(Fires(Trigger("enter: 'count(a[500ms]) >= 1'"), log, 3000), "1000 t, 2000 t");
  EXPECT_EQ(Fires(Trigger("leave: 'count(a[500ms]) >= 1'"), log, 3000), "1500 t, 2500 t");
  EXPECT_EQ(Fires(Trigger("leave: 'count(a[500ms]) >= 1'"), log), "1500 t");
  EXPECT_EQ(Fires(Trigger("on: any, where: 'count(a) >= 1 and count(b) = 0'"), log), "1000 t");
  EXPECT_EQ(Fires(Trigger("on: 'a{n > 2}', with: {s: sum(a.n), none: first(b.n)}"), log),
            "2000 t{\"s\":5}");
  EXPECT_EQ(Fires(Trigger("enter: 'count(z) = 0'"), log),
            "1000 t");  // true from the first record on
  EXPECT_EQ(Fires(Trigger("leave: 'count(z) = 0'"), log), "");
}

TEST(TriggerRunTest, ALateEventFiresNowButOnItsOwnTime) {
  const auto log = LogOf({{"a", 1000, ""}, {"b", 2000, ""}, {"a", 1500, ""}});
  EXPECT_EQ(Fires(Trigger("enter: 'count(a) = 2'"), log), "2000 t");
  EXPECT_EQ(Fires(Trigger("on: a, with: {n: count(any)}"), log),
            "1000 t{\"n\":1}, 1500 t{\"n\":3}");
}

TEST(TriggerRunTest, ACooldownIsOverAtItsLength) {
  EXPECT_EQ(Fires(Trigger("on: a, cooldown: 500ms"),
                  LogOf({{"a", 1000, ""}, {"a", 1499, ""}, {"a", 1500, ""}, {"a", 1999, ""}})),
            "1000 t, 1500 t");
  // The distance of a late event counts both to later and to earlier firings.
  EXPECT_EQ(Fires(Trigger("on: a, cooldown: 500ms"),
                  LogOf({{"a", 2000, ""}, {"a", 1501, ""}, {"a", 1500, ""}})),
            "1500 t, 2000 t");
  // A cooldown that is over by the user's clock is over for a late event too.
  EXPECT_EQ(Fires(Trigger("on: a, cooldown: 500ms"),
                  LogOf({{"a", 1000, ""}, {"b", 1500, ""}, {"a", 1100, ""}})),
            "1000 t, 1100 t");
}

TEST(TriggerRunTest, ACapIsASlidingWindow) {
  EXPECT_EQ(Fires(Trigger("on: a, at_most: 2 per 500ms"), LogOf({{"a", 1000, ""},
                                                               {"a", 1100, ""},
                                                               {"a", 1200, ""},
                                                               {"a", 1499, ""},
                                                               {"a", 1500, ""},
                                                               {"a", 1599, ""},
                                                               {"a", 1600, ""}})),
            "1000 t, 1100 t, 1500 t, 1600 t");
}

TEST(TriggerRunTest, KeysFireOneByOne) {
  const auto log = LogOf({{"a", 1000, R"({"k":"x"})"},
                        {"a", 1100, R"({"k":"x"})"},
                        {"a", 1200, R"({"k":7})"},
                        {"a", 1250, R"({"k":7})"},
                        {"a", 2000, R"({"k":"x"})"}});
  EXPECT_EQ(
      Fires(Trigger(
                "enter: 'some(k: count(a[500ms]) >= 2)', with: {n: count(a), ids: 'list(a.k, 5)'}"),
            log, 3000),
      "1100 t(\"x\"){\"ids\":[\"x\"],\"n\":2}, 1250 t(7){\"ids\":[7],\"n\":2}");
  EXPECT_EQ(Fires(Trigger("leave: 'some(k: count(a[500ms]) >= 2)'"), log, 3000),
            "1500 t(\"x\"), 1700 t(7)");
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: count(a[500ms]) >= 2)', cooldown: 1h"), log, 3000),
            "1100 t(\"x\"), 1250 t(7)");
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: count(a[500ms]) >= 1)', cooldown: 900ms"), log, 3000),
            "1000 t(\"x\"), 1200 t(7), 2000 t(\"x\")");
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: count(a[500ms]) >= 2)', at_most: 1 per 1h"), log, 3000),
            "1100 t(\"x\")");
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: count(a[500ms]) >= 2) and true'"), log, 3000),
            "1100 t");  // no key: the condition is not a some(…) itself
  EXPECT_EQ(Fires(Trigger("on: a, where: 'some(k: count(a[500ms]) >= 2)'"), log),
            "1100 t, 1200 t, 1250 t");
}

TEST(TriggerRunTest, KeysOfOneInstantFireInTheOrderOfTheirText) {
  const auto log =
      LogOf({{"a", 1000, R"({"k":"x"})"}, {"a", 1000, R"({"k":9})"}, {"a", 1000, R"({"k":10})"}});
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: a then no b for 300ms)'"), log, 2000),
            "1300 t(\"x\"), 1300 t(10), 1300 t(9)");
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: a then no b for 300ms)', at_most: 2 per 1s"), log, 2000),
            "1300 t(\"x\"), 1300 t(10)");
}

TEST(TriggerRunTest, AMetricMayNameTheKeys) {
  EXPECT_EQ(Fires("metrics: {m: 'some(k: count(a) >= 1)'}\ntriggers: {t: {enter: m}}\n",
                  LogOf({{"a", 1000, R"({"k":1})"}})),
            "1000 t(1)");
}

TEST(TriggerRunTest, QuietHoursAreOfThePlansClockAndCountForNothing) {
  const Millis evening = *ParseRfc3339("2026-03-01T20:59:00Z");  // 21:59 in Warsaw
  const std::string plan =
      "timezone: Europe/Warsaw\ntriggers:\n  t: {on: a, quiet_hours: 22:00-08:00, cooldown: 2m}\n";
  std::vector<Record> log;
  std::string fires;
  for (const Millis minute : {0, 1, 2})
    log.push_back(Track("e" + std::to_string(minute), "ann", "a", evening + minute * kMinute));
  log.push_back(Track("night", "ann", "a", evening + 10 * kHour));              // 07:59
  log.push_back(Track("morning", "ann", "a", evening + 10 * kHour + kMinute));  // 08:00
  LoadedPlan loaded = ParsePlan(plan);
  for (const Firing& f : RunNaively(*loaded.plan, log, {}).firings)
    fires += " " + FormatRfc3339(f.at).substr(11, 5);
  EXPECT_EQ(fires, " 20:59 07:00");
}

TEST(TriggerRunTest, OnlyIfIsAskedWhenItFires) {
  std::vector<Record> log = LogOf({{"a", 1000, ""}, {"a", 1100, ""}});
  log.push_back(
      Fact(EventKind::kIdentify, "yes", "ann", 1200, "", ConsentContext(R"({"email":true})")));
  log.push_back(Track("last", "ann", "a", 1300));
  EXPECT_EQ(Fires(Trigger("on: a, only_if: consent(email), cooldown: 1h"), log), "1300 t");
  EXPECT_EQ(Fires(Trigger("enter: count(a) >= 1, only_if: consent(email)"), log),
            "");  // suppressed firings are not made up for
  // `only_if` is evaluated for the user, not for the key.
  EXPECT_EQ(Fires(Trigger("enter: 'some(k: count(a) >= 1)', only_if: 'count(a) = 2'"),
                  LogOf({{"a", 1000, R"({"k":1})"}, {"a", 1100, R"({"k":2})"}})),
            "1100 t(2)");
}

// bucket("t") of ann is 0.35986…: the SHA-256 of `t:ann` begins with 5c20.
TEST(TriggerRunTest, AHoldoutIsAShareOfUsers) {
  const auto log = LogOf({{"a", 1000, ""}});
  EXPECT_EQ(Fires(Trigger("on: a, holdout: 0.36"), log), "");
  EXPECT_EQ(Fires(Trigger("on: a, holdout: 35%"), log), "1000 t");
  EXPECT_EQ(Fires(Trigger("on: a, holdout: 100%"), log), "");
  EXPECT_EQ(Fires(Trigger("on: a, holdout: 0%"), log), "1000 t");
}

TEST(TriggerRunTest, GroupsShareACap) {
  const std::string plan = R"(
trigger_groups: {g: {at_most: 2 per 500ms}}
triggers:
  b_on: {on: a, group: g}
  a_on: {on: a, group: g}
  z_enter: {enter: 'count(a) >= 1', group: g}
  alone: {on: a}
)";
  // Triggers with enter and leave come first, then those with on, each ordered by name.
  EXPECT_EQ(Fires(plan, LogOf({{"a", 1000, ""}, {"a", 1100, ""}, {"a", 1500, ""}})),
            "1000 a_on, 1000 alone, 1000 z_enter, 1100 alone, 1500 a_on, 1500 alone, 1500 b_on");
}

TEST(TriggerRunTest, ATriggersOwnChangesMoveTheClock) {
  // The condition ends at 1500 without an event, so an event of 1499 is late then.
  const auto log = LogOf({{"a", 1000, ""}, {"b", 2000, ""}});
  EXPECT_EQ(
      Fires("segments: {s: count(c) >= 1}\ntriggers: {t: {leave: 'count(a[500ms]) >= 1'}}\n", log),
      "1500 t");
}

}  // namespace
}  // namespace attune::oracle
