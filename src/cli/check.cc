#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/command.h"
#include "engine/program/program.h"
#include "engine/state/state_bound.h"

namespace attune {
namespace {

struct CheckSettings {
  std::string plan;
  bool strict = false;
} check_settings;

std::string Bytes(int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void PrintBounds(const Program& program) {
  const Plan& plan = *program.plan;
  size_t width = 0;
  for (const auto& metric : plan.metrics) width = std::max(width, metric.name.size());
  for (const auto& condition : program.conditions) width = std::max(width, condition.name.size());
  fmt::print("\nstate per user, at most (counts of events kept are bounded by limits.events = {}):\n",
             plan.limit_events);
  const auto line = [&](const char* kind, const std::string& name, NodeId root) {
    if (root != kNone) fmt::print("  {:<8} {:<{}}  {:>10}\n", kind, name, width, Bytes(StateBound(program, root)));
  };
  for (size_t i = 0; i < plan.metrics.size(); ++i) line("metric", plan.metrics[i].name, program.metric_roots[i]);
  for (const Condition& condition : program.conditions) {
    line(condition.segment ? "segment" : "trigger", condition.name, condition.root);
  }
}

}  // namespace

void CheckOptions(CLI::App* app) {
  app->add_option("plan", check_settings.plan, "a plan: a YAML file, or a folder of them")->required();
  app->add_flag("--strict", check_settings.strict, "warnings are problems too (exit 2)");
}

int RunCheck() {
  LoadedPlan loaded = LoadPlan(check_settings.plan);
  size_t warnings = 0;
  for (const Problem& problem : loaded.problems) {
    fmt::print("{}\n", ToText(problem));
    warnings += problem.warning;
  }
  const size_t problems = loaded.problems.size() - warnings;
  if (!loaded.plan || (check_settings.strict && warnings > 0)) {
    fmt::print("{} problem{}, {} warning{}\n", problems, problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    return kExitInvalid;
  }
  const std::shared_ptr<const Plan> plan = std::move(loaded.plan);
  const auto program = Program::Compile(plan);
  fmt::print("{}: ok: {} events, {} metrics, {} segments, {} triggers; time zone {}\n", check_settings.plan,
             plan->events.size(), plan->metrics.size(), plan->segments.size(), plan->triggers.size(), plan->timezone);
  PrintBounds(*program);
  return kExitDone;
}

}  // namespace attune
