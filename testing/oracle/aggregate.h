// Aggregates over events, sessions and stretches of time, by re-reading the events each time. The rules are the oracle's
// own, written from docs/language.md; of the engine's table it uses only the name that the parser read.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

struct AggregateRule {
  // What must stay the same so that the result does, while no event comes.
  enum class Steady {
    kEvents,     // the events that the window shows
    kSessions,   // the sessions that it shows
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
