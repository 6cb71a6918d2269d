#include "plan/plan.h"

#include <gtest/gtest.h>

#include <set>

namespace attune {
namespace {

std::string PlanProblems(const LoadedPlan& loaded) {
  std::string text;
  for (const Problem& problem : loaded.problems) text += ToText(problem) + "\n";
  return text;
}

constexpr char kWholePlan[] = R"yaml(
timezone: Europe/Warsaw
sessions: {gap: 30m, max: 24h}
events:
  add_to_cart:
    properties:
      product_id: string
      price: number?
      quantity: integer?
      cart_id: string?
metrics:
  pages_this_session: count(page_viewed[session])
segments:
  high_engagement:     {when: "count(page_viewed[session]) > 5"}
  high_intent_shopper: {when: "count(add_to_cart[10m]) >= 5"}
  cart_abandoner:      {when: "add_to_cart then no purchase for 30m"}
  facebook_q1_buyers:
    when: >
      first(any.context.campaign.source[ever]) = "facebook"
      and first_time(any[ever]) >= 2026-01-01 and first_time(any[ever]) < 2026-04-01
      and count(purchase[30d after first_time(any[ever])]) >= 1
triggers:
  cart_reminder:
    enter: add_to_cart then no purchase for 30m
    with: {items: "list(add_to_cart.product_id[1d], 10)", total: "sum(add_to_cart.price[1d])"}
    cooldown: 1d
    send: [reminder_webhook]
)yaml";

TEST(Plan, ReadsTheExampleOfTheLanguagePage) {
  const LoadedPlan loaded = ParsePlan(kWholePlan);
  ASSERT_NE(loaded.plan, nullptr) << PlanProblems(loaded);
  EXPECT_EQ(PlanProblems(loaded), "");
  EXPECT_EQ(loaded.plan->timezone, "Europe/Warsaw");
  EXPECT_EQ(loaded.plan->session_max, 24 * kHour);
  EXPECT_EQ(loaded.plan->segments.size(), 4u);
  EXPECT_EQ(ToText(*loaded.plan->FindSegment("cart_abandoner")->when),
            "since(add_to_cart[ever]) >= 30m and count(purchase[since last_time(add_to_cart[ever])]) = 0");
  EXPECT_EQ(loaded.plan->triggers[0].cooldown, kDay);
}

// The text of a parsed expression parses as the same expression.
TEST(Plan, TextOfAnExpressionReadsAsTheSameExpression) {
  const LoadedPlan loaded = ParsePlan(kWholePlan);
  for (const char* text : {
           "count(add_to_cart[10m]) >= 5", "(1 + 2) * 3 = 9", "not (trait.a = 1 or trait.b exists)",
           "sum((purchase or refund){price > 2 and context.page.path starts_with \"/sale\"}.price[7d offset 7d]) > 1.5",
           "quantile(0.9, purchase.price[this_month]) < 10", "list(any.x[ever], 3) contains \"a\"",
           "count(a[2026-01-01 .. 2026-04-01]) = 0", "periods(any, 7d, 4) >= 3", "in_segment(high_engagement)",
           "trait.x in [\"a\", \"b\"]", "trait.x between 1 and 2", "since(a) / 1h + count(b[1h]) >= 3",
           "clamp(log1p(count(a)), 0, 1) + scale(since(b), 1h, 2h) > 0.5", "min(count(a), 3) = max(count(b), 2)",
           "max(add_to_cart.price[1d]) > 3", "duration([last_session]) > 5m", "sessions([30d]) >= 2",
           "weekday() in [6, 7] and hour() < 12 and date() >= 2026-01-01", "bucket(\"x\") < 0.5",
           "any{name matches \"^/p/[0-9]+\\\\.html\"} then no purchase for 90s", "pages_this_session > 3",
           "count(zażółć_gęślą{ü = \"ß\"}[1d]) > 0", "coalesce(trait.a, 0) > -1", "count(purchase.price[7d]) > 0",
           "count((add_to_cart{price > 1} or purchase){product_id = \"x\"}[7d]) > 0"}) {
    const ParsedExpression first = ParseExpression(text, *loaded.plan);
    ASSERT_NE(first.expression, nullptr) << text << ": " << ToText(first.problems.at(0));
    const std::string written = ToText(*first.expression);
    const ParsedExpression second = ParseExpression(written, *loaded.plan);
    ASSERT_NE(second.expression, nullptr) << written << ": " << ToText(second.problems.at(0));
    EXPECT_EQ(ToText(*second.expression), written);
  }
}

// yaml-cpp ends plain text in braces at a `?`, although YAML does not.
TEST(Plan, ReadsQuestionMarksWhereverYamlAllowsThem) {
  const LoadedPlan loaded = ParsePlan(R"yaml(
# is it read?
events:
  order: {properties: {price: number?, at: time? , paid: boolean?}}
  visit: {properties: {path: "string?", 'why?': string?,
                       from?: string?
                      }}
  ? search
  : {properties: {q: string}}
metrics: {asked: 'count(any{q matches "^why\\?"})', said: 'count(any{q = "eh? [?"})'}
segments:
  block: {when: "count(order{note = \"a?\"}) > 0", description: what?! yes}
  folded:
    when: >
      count(visit{path contains "?"}) > 0
)yaml");
  ASSERT_NE(loaded.plan, nullptr) << PlanProblems(loaded);
  const auto& order = loaded.plan->events.at("order").properties;
  ASSERT_EQ(order.size(), 3u);
  for (const PropertySpec& property : order) EXPECT_TRUE(property.optional) << property.name;
  const auto& visit = loaded.plan->events.at("visit").properties;
  ASSERT_EQ(visit.size(), 3u);
  EXPECT_EQ(visit[1].name, "why?");
  EXPECT_EQ(visit[2].name, "from?");
  EXPECT_TRUE(loaded.plan->events.contains("search"));
  EXPECT_EQ(ToText(*loaded.plan->FindMetric("said")->value), "count(any{q = \"eh? [?\"}[ever])");
  EXPECT_EQ(ToText(*loaded.plan->FindSegment("block")->when), "count(order{note = \"a?\"}[ever]) > 0");
  EXPECT_EQ(loaded.plan->FindSegment("block")->description, "what?! yes");
  EXPECT_EQ(ToText(*loaded.plan->FindSegment("folded")->when), "count(visit{path contains \"?\"}[ever]) > 0");
}

TEST(Plan, NamesTheMistakeAndItsPlace) {
  constexpr struct { const char* yaml; const char* problem; } kBad[] = {
      {"segments:\n  a: {when: \"cuont(x[7d]) > 1\"}\n",
       "plan.yaml:2:14: there is no function \"cuont\"; did you mean \"count\"?"},
      {"segments:\n  a: {when: \"count(x[7d]) > \\\"two\\\"\"}\n",
       "plan.yaml:2:29: expected a number to compare with count(x[7d]), found \"two\", a string"},
      {"segments:\n  a: {when: \"in_segment(bb)\"}\n  bbb: {when: \"true\"}\n",
       "plan.yaml:2:25: there is no segment \"bb\"; did you mean \"bbb\"?"},
      {"segments:\n  zażółć: {when: count(x) > }\n", "plan.yaml:2:28: expected a value, found the end"},
      {"segments:\n  a:\n    when: >\n      count(x[7d]) > 1\n      and count(y[7x]) > 1\n",
       "plan.yaml:5:19: \"x\" is not a unit of time; expected ms, s, m, h, d or w"},
      {"segmets:\n  a: {when: \"true\"}\n", "plan.yaml:1:1: unknown key \"segmets\" in the plan; did you mean \"segments\"?"},
      {"timezone: Europe/Warszawa\n",
       "plan.yaml:1:11: there is no time zone \"Europe/Warszawa\"; expected an IANA name such as Europe/Warsaw"},
      {"segments:\n  a: {when: \"true\"}\n  a: {when: \"false\"}\n", "plan.yaml:3:3: \"a\" occurs here twice"},
      {"segments:\n  a: {when: in_segment(b)}\n  b: {when: in_segment(a)}\n",
       "plan.yaml:2:3: the segment \"a\" refers to itself, in a circle"},
      {"events:\n  e: {properties: {p: strin}}\n",
       "plan.yaml:2:23: unknown type \"strin\"; did you mean \"string\"?; expected string, number, integer, boolean, time "
       "(with ? when it may be missing), or a JSON Schema's file"},
      {"metrics:\n  m: sum(e.p[7d])\nevents:\n  e: {properties: {p: string}}\n",
       "plan.yaml:2:12: expected a number for sum(…), found a property of type string"},
      {"segments:\n  a: {when: count(x)}\n",
       "plan.yaml:2:13: expected a condition for the segment \"a\", found count(x[ever]), a number"},
      {"segments:\n  a: {when: \"sum(x[7d]) > 1\"}\n",
       "plan.yaml:2:19: expected \".\" and a property, as in sum(purchase.price[7d]), found \"[\""},
      {"events: {e: {properties: {p: number?, q: nmber?}}}\n",
       "plan.yaml:1:42: unknown type \"nmber\"; did you mean \"number\"?; expected string, number, integer, boolean, time "
       "(with ? when it may be missing), or a JSON Schema's file"},
      {"events: &all [*all, x?]\n", "plan.yaml:1:9: expected a mapping for events, found a list"},
      {"segments: {a: {when: 'count(x{y = \"?\"}) > '}}\n", "plan.yaml:1:42: expected a value, found the end"},
      {"segments: [\n", "plan.yaml:2:1: not YAML: end of sequence flow not found"},
      {"metrics: {m: since(a) + 3}\n",
       "plan.yaml:1:23: a duration and a number cannot be added; expected two numbers, two durations, or a time and a duration"},
      {"metrics: {m: m + 1}\n", "plan.yaml:1:11: the metric \"m\" is defined by itself, in a circle"},
      {"events: &all [*all, x?]\n", "plan.yaml:1:9: expected a mapping for events, found a list"},
      {"segments: {a: {when: 'count(x{y matches \"(a\"}) > 0'}}\n",
       "plan.yaml:1:41: the pattern cannot be used: missing ): (a"},
  };
  for (const auto& [yaml, problem] : kBad) {
    const LoadedPlan loaded = ParsePlan(yaml);
    EXPECT_EQ(loaded.plan, nullptr) << yaml;
    ASSERT_FALSE(loaded.problems.empty()) << yaml;
    EXPECT_EQ(ToText(loaded.problems[0]), problem) << yaml;
  }
}

TEST(Plan, HasLimits) {
  const auto plain = ParsePlan("").plan;
  EXPECT_EQ(plain->limit_events, 10'000);
  EXPECT_EQ(plain->limit_catch_up, 10'000);
  EXPECT_EQ(plain->oldest_event, 3'650 * kDay);
  const auto plan = ParsePlan("limits: {events: 5, catch_up: 7, oldest_event: 20d}").plan;
  EXPECT_EQ(plan->limit_events, 5);
  EXPECT_EQ(plan->limit_catch_up, 7);
  EXPECT_EQ(plan->oldest_event, 20 * kDay);
  constexpr struct { const char* yaml; const char* problem; } kBad[] = {
      {"limits: {events: 0}", "plan.yaml:1:18: expected a whole number from 1 to 200000, found \"0\""},
      {"limits: {catch_up: 0}", "plan.yaml:1:20: expected a whole number from 1 to 1000000, found \"0\""},
      {"limits: {catch_up: 1000001}", "plan.yaml:1:20: expected a whole number from 1 to 1000000, found \"1000001\""},
      {"limits: {catch_up: 1.5}", "plan.yaml:1:20: expected a whole number from 1 to 1000000, found \"1.5\""},
      {"limits: {oldest_event: 10}", "plan.yaml:1:24: expected a duration such as 30m, found \"10\""},
      {"limits: {oldest_event: 0d}", "plan.yaml:1:24: expected a duration such as 30m, found \"0d\""},
      {"limits: {oldest: 1d}", "plan.yaml:1:10: unknown key \"oldest\" in limits; expected one of events, catch_up, oldest_event"},
      {"limits: {catchup: 1}", "plan.yaml:1:10: unknown key \"catchup\" in limits; did you mean \"catch_up\"?"},
  };
  for (const auto& [yaml, problem] : kBad) {
    const LoadedPlan loaded = ParsePlan(yaml);
    ASSERT_FALSE(loaded.problems.empty()) << yaml;
    EXPECT_EQ(ToText(loaded.problems[0]), problem);
  }
}

// Limits change the effects of events.
TEST(Plan, ItsFingerprintKnowsItsLimits) {
  std::set<uint64_t> fingerprints;
  for (const char* yaml : {"", "limits: {events: 5}", "limits: {catch_up: 5}", "limits: {catch_up: 6}", "limits: {oldest_event: 5d}",
                           "limits: {oldest_event: 6d}"}) {
    fingerprints.insert(ParsePlan(yaml).plan->fingerprint);
  }
  EXPECT_EQ(fingerprints.size(), 6u);
}

TEST(Plan, ItsFingerprintIsNotOfHowItIsWritten) {
  const auto plan = [](const std::string& yaml) { return std::move(ParsePlan(yaml).plan); };
  const std::string plain = "segments:\n  a: {when: \"count(e) > 1\"}\n  b: {when: \"count(e) > 2\"}\n";
  const auto written = plan(plain);
  for (const char* other : {"# buyers\nsegments:\n  a:\n    when: count(e) > 1   # more than one\n\n  b: {when: 'count(e) > 2'}\n",
                            "segments: {a: {when: count(e) > 1}, b: {when: count(e) > 2}}"}) {
    EXPECT_EQ(plan(other)->fingerprint, written->fingerprint) << other;
    EXPECT_NE(plan(other)->text_fingerprint, written->text_fingerprint) << other;
  }
  for (const char* other : {"segments:\n  a: {when: \"count(e) > 1\"}\n", "segments:\n  a: {when: \"count(e) > 1\"}\n  c: {when: \"count(e) > 2\"}\n",
                            "segments:\n  a: {when: \"count(e) > 2\"}\n  b: {when: \"count(e) > 1\"}\n",
                            "dedupe: 1d\nsegments:\n  a: {when: \"count(e) > 1\"}\n  b: {when: \"count(e) > 2\"}\n"}) {
    EXPECT_NE(plan(other)->fingerprint, written->fingerprint) << other;
  }
}

// Each alias expands to everything that the ones before it expand to.
TEST(Plan, ItsFingerprintCostsNoMoreThanItsText) {
  std::string yaml = "events:\n  e0: &a0 {properties: {x: string}}\n";
  for (int i = 1; i < 60; ++i) {
    const std::string last = std::to_string(i - 1);
    yaml += "  e" + std::to_string(i) + ": &a" + std::to_string(i) + " {properties: {x: string}, more: [*a" + last + ", *a" + last + "]}\n";
  }
  EXPECT_FALSE(ParsePlan(yaml).problems.empty());  // "more" is unknown; the plan was parsed to its end
}

TEST(Plan, FindsEveryMistakeInOneReading) {
  const LoadedPlan loaded = ParsePlan(
      "timezone: Nowhere\nsegments:\n  a: {when: \"in_segment(x) and cout > 1\"}\n  b: {when: \"count(a[7d]) > \"}\n");
  EXPECT_EQ(loaded.problems.size(), 4u) << PlanProblems(loaded);
}

}  // namespace
}  // namespace attune
