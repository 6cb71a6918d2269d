#include "plan/plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace attune {
namespace {

template <typename T>
const T* Find(const std::vector<T>& sorted, std::string_view name) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), name, [](const T& t, std::string_view n) { return t.name < n; });
  return at != sorted.end() && at->name == name ? &*at : nullptr;
}

}  // namespace

const Metric* Plan::FindMetric(std::string_view name) const { return Find(metrics, name); }
const Segment* Plan::FindSegment(std::string_view name) const { return Find(segments, name); }
const TriggerGroup* Plan::FindTriggerGroup(std::string_view name) const { return Find(trigger_groups, name); }

const Expression* Plan::KeyedBy(const Trigger& trigger) const {
  if (trigger.kind == Trigger::Kind::kOn) return nullptr;
  const Expression* e = trigger.when.get();
  while (e && e->kind == Expression::Kind::kMetric) e = FindMetric(e->text)->value.get();
  return e && e->kind == Expression::Kind::kSome ? e : nullptr;
}

std::string ToText(const Problem& problem) {
  return fmt::format("{}:{}:{}: {}{}", problem.file, problem.line, problem.column, problem.warning ? "warning: " : "",
                     problem.message);
}

}  // namespace attune
