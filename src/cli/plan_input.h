// Loading the plan that a command is given.
#pragma once

#include <memory>
#include <string>

#include "plan/plan.h"

namespace attune {

// Prints every problem to stderr. Null when the plan cannot be used.
std::shared_ptr<const Plan> LoadPlanOrComplain(const std::string& path, bool warnings_too = false);

// Where the plan lies that a data folder was served with last, unless `plan` says one already. False after a complaint: the
// folder does not say, or it is of a newer program.
bool FindPlanOfFolder(const std::string& data, std::string* plan);

}  // namespace attune
