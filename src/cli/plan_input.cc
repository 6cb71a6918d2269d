#include "cli/plan_input.h"

#include <cstdio>

#include "cli/command.h"
#include "server/plan_note.h"

namespace attune {

std::shared_ptr<const Plan> LoadPlanOrComplain(const std::string& path, bool warnings_too) {
  LoadedPlan loaded = LoadPlan(path);
  for (const Problem& problem : loaded.problems) {
    if (!problem.warning || warnings_too) std::fprintf(stderr, "%s\n", ToText(problem).c_str());
  }
  return std::shared_ptr<const Plan>(std::move(loaded.plan));
}

bool FindPlanOfFolder(const std::string& data, std::string* plan) {
  if (!plan->empty()) return true;
  auto note = ReadPlanNote(data);
  if (!note.ok()) return Complain(note.error().message, kExitInvalid), false;
  *plan = std::move(note).value();
  if (!plan->empty()) return true;
  Complain(data + " does not say which plan it was served with: give it with --plan", kExitInvalid);
  return false;
}

}  // namespace attune
