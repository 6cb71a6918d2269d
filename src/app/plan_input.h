// Loading the plan that a command is given.
#pragma once

#include <memory>
#include <string>

#include "plan/plan.h"

namespace attune {

// Prints every problem to stderr. Null when the plan cannot be used.
std::shared_ptr<const Plan> LoadPlanOrComplain(const std::string& path, bool warnings_too = false);

}  // namespace attune
