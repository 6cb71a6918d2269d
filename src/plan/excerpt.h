// The part of a plan that a question needs: what it asks, and nothing else that would cost time and memory to keep.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace attune {

// A plan with the metrics `asked` and those metrics and segments of `plan` that they rest on, directly or by others; no
// triggers; all else as in `plan`. Expressions of `asked` were parsed against `plan`. Requires names that are none of
// the plan's metrics: no name of the language has a blank in it.
std::shared_ptr<const Plan> Excerpt(const Plan& plan, std::vector<Metric> asked);

// Whether an expression rests on a segment, directly or by the plan's other metrics and segments.
bool RestsOnSegment(const Expression& expression, const Plan& plan, const std::string& segment);

}  // namespace attune
