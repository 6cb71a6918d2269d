// Checks that need a whole plan.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace attune {

// A mistake, or a warning, at a definition.
struct Finding {
  Location location;
  std::string message;
  bool warning = false;
};

// Whether the expression, or the definition of a metric that it names, contains some(…) or top(…). Metrics that the
// plan does not have yet are ignored.
bool HoldsKeys(const Expression& expression, const Plan& plan);

// Segments that refer to themselves, by in_segment, entered or left.
std::vector<Finding> FindCircles(const Plan& plan);

// Triggers that lose their key (a warning), keyed triggers whose `with` contains some(…) or top(…), and triggers of
// groups that do not exist.
std::vector<Finding> CheckTriggers(const Plan& plan);

}  // namespace attune
