// The oracle has a rule for every aggregate in the language's table. One without a rule would never be checked.
#include "oracle/aggregate.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "language/aggregate.h"

namespace attune::oracle {
namespace {

TEST(AggregateRuleTest, EveryAggregateOfTheLanguageHasOneRule) {
  std::multiset<std::string> rules, aggregates;
  for (const AggregateRule& rule : AggregateRules()) rules.emplace(rule.name);
  for (const Aggregate& aggregate : Aggregates()) aggregates.emplace(aggregate.name);
  EXPECT_EQ(rules, aggregates);
}

TEST(AggregateRuleTest, RulesSayTheSameOfTimeAsTheTable) {
  for (const AggregateRule& rule : AggregateRules()) {
    const Aggregate* aggregate = FindAggregate(rule.name);
    ASSERT_NE(aggregate, nullptr) << rule.name;
    EXPECT_EQ(rule.moves, aggregate->moves) << rule.name;
    EXPECT_EQ(rule.steady == AggregateRule::Steady::kSessions, aggregate->IsOverSessions()) << rule.name;
  }
}

}  // namespace
}  // namespace attune::oracle
