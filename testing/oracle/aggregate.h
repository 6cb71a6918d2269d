// Aggregates over events, sessions and stretches of time, by re-reading the events each time.
#pragma once

#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

// Requires an aggregate.
Value Aggregated(const Expression& e, const History& history, Millis t);

// The sum of the numbers as if added without rounding, then rounded once.
double ExactSum(const std::vector<double>& numbers);

}  // namespace attune::oracle
