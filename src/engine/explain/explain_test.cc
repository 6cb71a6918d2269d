// Which events an explanation names, worked out by hand from docs/language.md.
#include "engine/explain/explain.h"

#include <gtest/gtest.h>

#include "plan/plan.h"

namespace attune {
namespace {

constexpr Millis kExplainBegin = 1'767'225'600'000;  // 2026-01-01

class ExplainTest : public testing::Test {
 protected:
  ExplainTest() {
    LoadedPlan loaded = ParsePlan("timezone: UTC\nsessions: {gap: 30m}\n");
    EXPECT_NE(loaded.plan, nullptr);
    plan_ = std::move(loaded.plan);
  }

  // Adds a record whose id is the name and the minute: `cart@3`.
  void Does(const std::string& name, Millis minute, const std::string& properties = "{}") {
    EventHead head;
    const std::string id = name + "@" + std::to_string(minute);
    head.id = id;
    head.user = "ann";
    head.name = name;
    head.time = head.received = kExplainBegin + minute * kMinute;
    EncodeEvent(head, R"({"event":")" + name + R"(","properties":)" + properties + "}", &records_.emplace_back());
  }

  Explanation Explain(const std::string& expression, Millis minute) {
    const ParsedExpression parsed = ParseExpression(expression, *plan_);
    for (const Problem& problem : parsed.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
    Explainer explainer(plan_, *parsed.expression, "ann");
    for (const std::string& bytes : records_) explainer.Add(bytes);
    return explainer.At(kExplainBegin + minute * kMinute);
  }

  // `VALUE: ID ID …`, and `, no STEP` if a step is missing.
  static std::string Told(const Explanation& e) {
    std::string text = e.value + ":";
    for (const Explanation::Event& event : e.events) text += " " + event.id;
    if (!e.missing_step.empty()) text += ", no " + e.missing_step;
    return text;
  }
  // For each part `KEY=VALUE: ID …`.
  static std::string ToldByKey(const Explanation& e) {
    std::string text;
    for (const Explanation& part : e.parts) text += (text.empty() ? "" : "; ") + part.key + "=" + Told(part);
    return text;
  }

  void AskAll(const std::vector<std::tuple<Millis, const char*, const char*>>& questions) {
    for (const auto& [minute, expression, answer] : questions) {
      EXPECT_EQ(Told(Explain(expression, minute)), answer) << expression << " at " << minute;
    }
  }

  std::shared_ptr<const Plan> plan_;
  std::vector<std::string> records_;
};

TEST_F(ExplainTest, ASequenceNamesTheRunThatBeganLast) {
  Does("search", 0);
  Does("view", 2);
  Does("search", 3);
  Does("search", 4);
  Does("add", 5);
  Does("view", 6);
  Does("view", 7);
  Does("search", 8);
  AskAll({
      {9, "sequence(search -> view)", "true: search@4 view@6"},
      {9, "sequence(search => view)", "true: search@0 view@2"},
      {9, "sequence(search -> not add -> view)", "true: search@0 view@2"},
      {9, "sequence(search -> view within 1m)", "false: search@8, no view within 1m"},
      {9, "sequence(search -> view within 2m)", "true: search@4 view@6"},
      {9, "sequence(search -> view)[4m]", "false: search@8, no view"},
      {5, "sequence(search -> view)", "true: search@0 view@2"},
      {9, "sequence(search -> add -> view -> pay)", "false: search@4 add@5 view@6, no pay"},
      {9, "sequence(add -> not view -> search => view)", "false: add@5, no not view -> search"},
      {9, "sequence(view => pay)", "false: view@7, no => pay"},
      {9, "sequence(pay -> view)", "false:, no pay"},
      {9, "depth(search -> add -> pay)", "2: search@4 add@5, no pay"},
      {9, "depth(search -> add)", "2: search@4 add@5"},
      {9, "depth(pay -> add)", "0:, no pay"},
  });
  const Explanation held = Explain("sequence(search -> view)[10m]", 9);
  EXPECT_EQ(held.until, kExplainBegin + 14 * kMinute);  // when search@4 leaves the window
  EXPECT_EQ(held.events[1].step, "view");
  EXPECT_EQ(ExplanationText(Explain("sequence(search -> pay within 1h)", 9)),
            "sequence(search -> pay within 1h)[ever]  =  false  (no pay within 1h)\n"
            "    2026-01-01T00:08:00.000Z  search@8  search\n");
}

TEST_F(ExplainTest, ByKeepsRunsApart) {
  Does("cart", 0, R"({"id":1})");
  Does("cart", 1, R"({"id":"1"})");
  Does("cart", 2);
  Does("pay", 3, R"({"id":1})");
  Does("pay", 4);
  AskAll({
      {5, "sequence(cart -> pay by id)", "true: cart@0 pay@3"},
      {5, "sequence(cart -> pay)", "true: cart@2 pay@3"},
      {5, "sequence(cart -> not pay -> cart by id)", "false: cart@1, no not pay -> cart"},
      {5, "sequence(cart => pay by id)", "false: cart@1, no => pay"},
  });
}

TEST_F(ExplainTest, MatchesNameTheEventsOfEach) {
  Does("search", 0);
  Does("search", 1);
  Does("view", 2);
  Does("view", 3);
  Does("search", 4);
  Does("view", 5);
  Does("search", 6);
  AskAll({
      {9, "matches(search -> view)", "2: search@1 view@2 search@4 view@5"},
      {9, "matches(search -> view)[7m]", "1: search@4 view@5"},
      {9, "matches(view -> view)", "1: view@2 view@3"},
      {9, "matches(pay)", "0:"},
  });
  for (Millis i = 0; i < 150; ++i) Does("pay", 10 + i);
  const Explanation many = Explain("matches(any -> pay -> pay)", 200);
  EXPECT_EQ(many.value, "50");
  EXPECT_EQ(many.event_count, 150u);
  EXPECT_EQ(many.events.size(), 99u);  // whole matches
  EXPECT_EQ(many.events.back().id, "pay@158");
}

// Records are ordered by time, then by position in the log.
TEST_F(ExplainTest, LateEventsAreAtTheirPlace) {
  Does("view", 5);
  Does("search", 5);
  Does("search", 2);
  Does("add", 3);
  AskAll({
      {9, "sequence(search -> view)", "true: search@2 view@5"},
      {9, "sequence(search => view)", "false: search@5, no => view"},
      {9, "sequence(search -> not add -> view)", "false: search@5, no not add -> view"},
      {9, "sequence(view -> search)", "true: view@5 search@5"},
      {9, "count(search)", "2: search@5 search@2"},
  });
}

TEST_F(ExplainTest, WindowsAreTheSequencesOwn) {
  Does("search", 0);
  Does("view", 1);
  Does("login", 60);
  Does("search", 61);
  Does("view", 63);
  AskAll({
      {64, "sequence(search -> view)[session]", "true: search@61 view@63"},
      {62, "sequence(search -> view)[session]", "false: search@61, no view"},
      {120, "sequence(search -> view)[session]", "false:, no search"},
      {64, "sequence(search -> view)[1h offset 2m]", "false: search@61, no view"},
      {60, "sequence(search -> view)[1h offset 1m]", "true: search@0 view@1"},
      {64, "sequence(search -> view)[2026-01-01 .. 2026-02-01]", "true: search@61 view@63"},
  });
  const Explanation anchored = Explain("sequence(search -> view)[since last_time(login)]", 64);
  EXPECT_EQ(Told(anchored), "true: search@61 view@63");
  ASSERT_EQ(anchored.parts.size(), 1u);
  EXPECT_EQ(anchored.parts[0].events[0].id, "login@60");
}

TEST_F(ExplainTest, SomeNamesTheKeysForWhichItHolds) {
  Does("cart", 0, R"({"id":1})");
  Does("cart", 1, R"({"id":"b"})");
  Does("view", 2);
  Does("cart", 3, R"({"id":1})");
  Does("cart", 4, R"({"id":"b"})");
  Does("pay", 5, R"({"id":1})");
  Does("cart", 6, R"({"id":"c"})");
  const Explanation twice = Explain("some(id: count(cart[1h]) >= 2)", 9);
  EXPECT_EQ(twice.value, "true");
  EXPECT_EQ(twice.key_count, 3u);
  EXPECT_EQ(twice.holding_count, 2u);
  EXPECT_EQ(twice.until, kExplainBegin + 61 * kMinute);
  ASSERT_EQ(twice.parts.size(), 2u);
  EXPECT_EQ(twice.parts[0].key, "1");  // paid after the other key was last seen
  EXPECT_EQ(twice.parts[0].until, kExplainBegin + 60 * kMinute);
  EXPECT_EQ(Told(twice.parts[0].parts[0]), "2: cart@3 cart@0");
  EXPECT_EQ(twice.parts[1].key, "\"b\"");
  EXPECT_EQ(Told(twice.parts[1].parts[0]), "2: cart@4 cart@1");

  EXPECT_EQ(ToldByKey(Explain("some(id: sequence(cart -> pay))", 9)), "1=true: cart@3 pay@5");
  EXPECT_EQ(ToldByKey(Explain("some(id: sequence(cart -> cart -> pay))", 9)), "1=true: cart@0 cart@3 pay@5");
  // `=>` means the user's very next event, whatever its key.
  EXPECT_EQ(ToldByKey(Explain("some(id: sequence(cart => cart))", 9)), "\"c\"=false: cart@6, no => cart");
  const Explanation none = Explain("some(id: sequence(cart -> refund))", 9);
  EXPECT_EQ(ToldByKey(none), "\"c\"=false: cart@6, no refund");
  EXPECT_EQ(none.holding_count, 0u);
  EXPECT_EQ(ExplanationText(none),
            "some(id: sequence(cart -> refund)[ever])  =  false  (0 of 3 keys)\n"
            "└── \"c\": sequence(cart -> refund)[ever]  =  false  (no refund)\n"
            "        2026-01-01T00:06:00.000Z  cart@6  cart\n");
  EXPECT_EQ(ExplanationJson(none),
            R"~({"expression":"some(id: sequence(cart -> refund)[ever])","value":false,"until":null,"key_count":3,"holding_count":0,)~"
            R"~("parts":[{"key":"c","expression":"sequence(cart -> refund)[ever]","value":false,"until":null,"missing_step":"refund",)~"
            R"~("event_count":1,"events":[{"id":"cart@6","timestamp":"2026-01-01T00:06:00.000Z","step":"cart"}]}]})~");
  EXPECT_EQ(Explain("some(sku: count(cart) > 0)", 9).key_count, 0u);
  EXPECT_TRUE(Explain("some(sku: count(cart) > 0)", 9).parts.empty());
}

TEST_F(ExplainTest, SomeNamesTenKeysAtMost) {
  for (Millis i = 0; i < 12; ++i) Does("cart", i, R"({"id":)" + std::to_string(i) + "}");
  const Explanation all = Explain("some(id: count(cart) > 0)", 20);
  EXPECT_EQ(all.holding_count, 12u);
  ASSERT_EQ(all.parts.size(), kExplainedKeys);
  EXPECT_EQ(all.parts.front().key, "11");
  EXPECT_EQ(all.parts.back().key, "2");
}

TEST_F(ExplainTest, TopNamesTheKeysItLists) {
  Does("view", 0, R"({"id":"a"})");
  Does("view", 1, R"({"id":"b"})");
  Does("view", 2, R"({"id":"a"})");
  Does("view", 3, R"({"id":"c"})");
  const Explanation top = Explain("top(id: count(view[1h]), 2)", 9);
  EXPECT_EQ(top.value, R"(["a","c"])");
  EXPECT_EQ(top.key_count, 3u);
  EXPECT_FALSE(top.holding_count.has_value());
  EXPECT_EQ(ToldByKey(top), "\"a\"=2: view@2 view@0; \"c\"=1: view@3");
  EXPECT_EQ(ToldByKey(Explain("top(id: count(pay), 2)", 9)), "\"c\"=0:");
}

}  // namespace
}  // namespace attune
