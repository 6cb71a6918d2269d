// The part of a plan that a study needs, without anything else that would cost time and memory.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace attune {

// A plan with the metrics `asked`, and those metrics and segments of `plan` on which they depend, directly or
// indirectly. It has no triggers; everything else is as in `plan`. The expressions of `asked` must have been parsed
// against `plan`, and their names must differ from those of the plan's metrics: use a name with a blank, which the
// language does not allow.
std::shared_ptr<const Plan> Excerpt(const Plan& plan, std::vector<Metric> asked);

// Whether an expression depends on a segment, directly or through the plan's metrics and other segments.
bool RestsOnSegment(const Expression& expression, const Plan& plan, const std::string& segment);

}  // namespace attune
