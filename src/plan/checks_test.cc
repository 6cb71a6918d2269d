// Checks of a whole plan: circles, triggers with keys, groups, and what the engine does not support yet.
#include "plan/checks.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

namespace attune {
namespace {

std::string Problems(const LoadedPlan& loaded) {
  std::string text;
  for (const Problem& problem : loaded.problems) text += ToText(problem) + "\n";
  return text;
}

TEST(PlanChecks, EverythingOfATriggerIsRead) {
  const LoadedPlan loaded = ParsePlan(R"yaml(
trigger_groups:
  reminders: {at_most: 3 per 1d, description: Mail that nobody asked for}
metrics:
  carts: "some(cart_id: add_to_cart then no purchase for 30m)"
triggers:
  a:
    enter: "some(cart_id: add_to_cart then no purchase for 30m)"
    with: {items: "list(add_to_cart.product_id, 10)"}
    quiet_hours: 22:00-08:00
    only_if: consent(email)
    holdout: 10%
    group: reminders
  b: {leave: carts, holdout: 0.5}
  c: {on: purchase, where: carts}
)yaml");
  ASSERT_TRUE(loaded.plan) << Problems(loaded);
  EXPECT_EQ(Problems(loaded), "");
  const Trigger& a = loaded.plan->triggers[0];
  EXPECT_EQ(a.quiet_hours->from, 22 * 60);
  EXPECT_EQ(a.quiet_hours->to, 8 * 60);
  EXPECT_EQ(ToText(*a.only_if), "consent(email)");
  EXPECT_EQ(a.holdout, 0.1);
  EXPECT_EQ(loaded.plan->FindTriggerGroup(a.group)->at_most.count, 3);
  EXPECT_EQ(loaded.plan->KeyedBy(a), a.when.get());
  const Trigger& b = loaded.plan->triggers[1];
  EXPECT_EQ(loaded.plan->KeyedBy(b), loaded.plan->FindMetric("carts")->value.get());
  EXPECT_EQ(loaded.plan->KeyedBy(loaded.plan->triggers[2]), nullptr);
}

TEST(PlanChecks, NameTheMistakeAndItsPlace) {
  constexpr struct { const char* yaml; const char* problem; } kBad[] = {
      {"segments:\n  a: in_segment(b) for 1d\n  b: entered(c[7d])\n  c: left(a)\n  d: in_segment(a)\n  e: \"true\"\n",
       "plan.yaml:2:3: the segment \"a\" refers to itself, in a circle\n"
       "plan.yaml:3:3: the segment \"b\" refers to itself, in a circle\n"
       "plan.yaml:4:3: the segment \"c\" refers to itself, in a circle\n"
       "plan.yaml:5:3: the segment \"d\" refers to itself, in a circle\n"},
      {"segments: {a: \"some(k: m)\"}\nmetrics: {m: entered(a)}\n", "plan.yaml:1:12: the segment \"a\" refers to itself, in a circle\n"},
      {"segments: {a: 'sequence(x -> y)[since coalesce(m, 2026-01-01)]', b: entered(a)}\nmetrics: {m: '[1]'}\n",
       "plan.yaml:2:15: expected a value, found \"[\"\n"},
      {"trigger_groups: {mails: {at_most: 1 per 1d}}\ntriggers: {t: {on: any, group: mail}}\n",
       "plan.yaml:2:12: the trigger \"t\" is of the group \"mail\", which \"trigger_groups\" does not define; did you mean \"mails\"?\n"},
      {"triggers: {t: {on: any, group: mail}}\n",
       "plan.yaml:1:12: the trigger \"t\" is of the group \"mail\", which \"trigger_groups\" does not define\n"},
      {"trigger_groups: {mails: {}}\n",
       "plan.yaml:1:18: the group of triggers \"mails\" has no \"at_most\"; expected {at_most: 2 per 1d}\n"},
      {"trigger_groups: {mails: {atmost: 1 per 1d}}\n",
       "plan.yaml:1:18: the group of triggers \"mails\" has no \"at_most\"; expected {at_most: 2 per 1d}\n"
       "plan.yaml:1:26: unknown key \"atmost\" in the group of triggers mails; did you mean \"at_most\"?\n"},
      {"triggers: {t: {on: any, quiet_hours: 22:00}}\n",
       "plan.yaml:1:38: expected quiet hours such as 22:00-08:00, found \"22:00\"\n"},
      {"triggers: {t: {on: any, holdout: 10}}\n", "plan.yaml:1:34: expected a share such as 10% or 0.1, found \"10\"\n"},
      {"triggers: {t: {on: any, only_if: count(any)}}\n",
       "plan.yaml:1:34: expected a condition for \"only_if\" of the trigger \"t\", found count(any[ever]), a number\n"},
      {"triggers: {t: {on: any, only_if: [consent(x)]}}\n",
       "plan.yaml:1:34: expected a condition for \"only_if\", found a list\n"},
      {"triggers:\n  t: {enter: \"some(k: count(a) > 1)\", with: {x: \"top(p: count(a), 2)\"}}\n",
       "plan.yaml:2:3: \"x\" in \"with\" of the trigger \"t\" holds some(…) or top(…); the trigger \"t\" fires for one value, and what "
       "it carries is of that value alone\n"},
      {"triggers: {t: {on: any, at_most: 0 per 1d}}\n",
       "plan.yaml:1:34: expected a cap such as 2 per 1h (at most 1000), found \"0 per 1d\"\n"},
  };
  for (const auto& [yaml, problems] : kBad) {
    const LoadedPlan loaded = ParsePlan(yaml);
    EXPECT_FALSE(loaded.plan) << yaml;
    EXPECT_EQ(Problems(loaded), problems) << yaml;
  }
}

TEST(PlanChecks, WarnWhereAKeyIsLost) {
  const LoadedPlan loaded = ParsePlan(
      "triggers:\n  t: {enter: \"some(k: count(a) > 1) and consent(email)\"}\n  u: {on: a, where: \"some(k: count(a) > 1) or true\"}\n");
  ASSERT_TRUE(loaded.plan);
  EXPECT_EQ(Problems(loaded),
            "plan.yaml:2:3: warning: the trigger \"t\" fires once for the user, without a key, because its some(…) stands within a "
            "larger expression; move the rest into the some(…) to fire for each value\n");
}

}  // namespace
}  // namespace attune
