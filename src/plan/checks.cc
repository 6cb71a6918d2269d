#include "plan/checks.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "language/nearest.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

// Calls fn with the expression, all expressions below it, and the definitions of the metrics that they name.
void ForEachMeant(const Expression& expression, const Plan& plan, const std::function<void(const Expression&)>& fn) {
  ForEach(expression, [&](const Expression& e) {
    fn(e);
    if (e.kind != Kind::kMetric) return;
    if (const Metric* metric = plan.FindMetric(e.text); metric && metric->value) ForEachMeant(*metric->value, plan, fn);
  });
}

bool NamesSegment(Kind kind) {
  return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
}

std::vector<std::string> GroupNames(const Plan& plan) {
  std::vector<std::string> names;
  for (const TriggerGroup& group : plan.trigger_groups) names.push_back(group.name);
  return names;
}

}  // namespace

bool HoldsKeys(const Expression& expression, const Plan& plan) {
  bool holds = false;
  ForEachMeant(expression, plan, [&](const Expression& e) { holds |= e.kind == Kind::kSome || e.kind == Kind::kTop; });
  return holds;
}

std::vector<Finding> FindCircles(const Plan& plan) {
  std::map<std::string, std::set<std::string>> uses;
  for (const Segment& segment : plan.segments) {
    auto& used = uses[segment.name];
    ForEachMeant(*segment.when, plan, [&](const Expression& e) {
      if (NamesSegment(e.kind)) used.insert(e.text);
    });
  }
  // Remove segments that use none of the remaining ones, until nothing changes: the rest are in a circle or lead into
  // one.
  for (bool changed = true; changed;) {
    changed = false;
    for (auto it = uses.begin(); it != uses.end();) {
      const bool free = std::none_of(it->second.begin(), it->second.end(), [&](const auto& used) { return uses.contains(used); });
      changed |= free;
      it = free ? uses.erase(it) : std::next(it);
    }
  }
  std::vector<Finding> findings;
  for (const auto& [name, used] : uses) {
    findings.push_back({plan.FindSegment(name)->location, "the segment \"" + name + "\" refers to itself, in a circle"});
  }
  return findings;
}

std::vector<Finding> CheckTriggers(const Plan& plan) {
  std::vector<Finding> findings;
  for (const Trigger& trigger : plan.triggers) {
    const std::string name = "the trigger \"" + trigger.name + "\"";
    if (!trigger.group.empty() && !plan.FindTriggerGroup(trigger.group)) {
      findings.push_back({trigger.location, name + " is of the group \"" + trigger.group +
                                                "\", which \"trigger_groups\" does not define" +
                                                DidYouMean(trigger.group, GroupNames(plan))});
    }
    if (plan.KeyedBy(trigger)) {
      for (const auto& [key, value] : trigger.with) {
        if (!HoldsKeys(*value, plan)) continue;
        findings.push_back({trigger.location, "\"" + key + "\" in \"with\" of " + name + " holds some(…) or top(…); " + name +
                                                  " fires for one value, and what it carries is of that value alone"});
      }
      continue;
    }
    bool some = false;
    if (trigger.kind != Trigger::Kind::kOn) {
      ForEachMeant(*trigger.when, plan, [&](const Expression& e) { some |= e.kind == Kind::kSome; });
    }
    if (some) {
      findings.push_back({trigger.location, name + " fires once for the user, without a key, because its some(…) stands "
                                                   "within a larger expression; move the rest into the some(…) to fire for each value",
                          true});
    }
  }
  return findings;
}

}  // namespace attune
