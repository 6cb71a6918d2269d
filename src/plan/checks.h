// What can only be judged over a whole plan.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace attune {

// A mistake, or (warning) something worth saying, at a definition.
struct Finding {
  Location location;
  std::string message;
  bool warning = false;
};

// Whether some(…) or top(…) stands in the expression, or in the definition of a metric that it names. Metrics that the
// plan does not have yet count for nothing.
bool HoldsKeys(const Expression& expression, const Plan& plan);

// Segments that refer to themselves: by what they are, have been, or were entered and left.
std::vector<Finding> FindCircles(const Plan& plan);

// Triggers whose key is lost on the way, or asked for twice; groups that do not exist.
std::vector<Finding> CheckTriggers(const Plan& plan);

}  // namespace attune
