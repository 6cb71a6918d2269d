// Loads the plan of a command.
#pragma once

#include <memory>
#include <string>

#include "plan/plan.h"

namespace attune {

// Prints every problem to stderr. Null when the plan cannot be used.
std::shared_ptr<const Plan> LoadPlanOrComplain(const std::string& path, bool warnings_too = false);

// Finds the plan that last served a data folder, unless `plan` is set already. Prints an error and returns false when
// the folder does not name one, or is of a newer program.
bool FindPlanOfFolder(const std::string& data, std::string* plan);

}  // namespace attune
