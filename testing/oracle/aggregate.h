// Aggregates over events, sessions and stretches of time, computed by reading all events each time. The rules are
// independent, written from docs/language.md; from the engine's table they use only the name that the parser read.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

struct AggregateRule {
  // What must stay the same for the result to stay the same, while no event comes.
  enum class Steady {
    kEvents,     // the events in the window
    kSessions,   // the sessions in the window
    kStretches,  // the events in each stretch
  };

  std::string_view name;
  Value (*value)(const Expression& e, const History& history, Millis t);
  Steady steady = Steady::kEvents;
  bool moves = false;  // the result grows with t while that stays the same
  // How often random expressions apply it to a property with numbers, relative to the others; 0: never.
  int drawn = 0;
};

std::span<const AggregateRule> AggregateRules();

// Requires an aggregate.
const AggregateRule& RuleOf(const Expression& e);

// The sum of the numbers as if added without rounding, then rounded once.
double ExactSum(const std::vector<double>& numbers);

}  // namespace attune::oracle
