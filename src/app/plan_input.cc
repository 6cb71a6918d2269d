#include "app/plan_input.h"

#include <cstdio>

namespace attune {

std::shared_ptr<const Plan> LoadPlanOrComplain(const std::string& path, bool warnings_too) {
  LoadedPlan loaded = LoadPlan(path);
  for (const Problem& problem : loaded.problems) {
    if (!problem.warning || warnings_too) std::fprintf(stderr, "%s\n", ToText(problem).c_str());
  }
  return std::shared_ptr<const Plan>(std::move(loaded.plan));
}

}  // namespace attune
