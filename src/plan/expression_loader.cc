// The second step: drafts to expressions.
#include <algorithm>

#include "plan/loader.h"

namespace attune {

void PlanLoader::CollectNames() {
  names_.specs = &plan_->events;
  names_.refuse_unknown_events = plan_->refuse_unknown_events;
  for (const auto& [name, spec] : plan_->events) names_.events.push_back(name);
  for (const char* name : {"page_viewed", "screen_viewed"}) {
    if (!plan_->events.contains(name)) names_.events.push_back(name);
  }
  for (const auto& [name, location] : metric_places_) names_.metrics.push_back(name);
  for (const auto& [name, location] : segment_places_) names_.segments.push_back(name);
  names_.metric_type = [this](const std::string& name) { return TypeOfMetric(name); };
}

void PlanLoader::Say(const Draft& draft, const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    Report(*draft.source, draft.source->At(draft.text, mistake.offset), mistake.message, mistake.warning);
  }
}

ExpressionPtr PlanLoader::ParseDraft(const Draft& draft) {
  std::vector<Mistake> mistakes;
  ExpressionPtr e = Parse(draft.text.Scalar(), names_, *Zone::Find(plan_->timezone), &mistakes);
  Say(draft, mistakes);
  return e;
}

ExpressionPtr PlanLoader::ParseCondition(const Draft& draft, const std::string& what) {
  ExpressionPtr e = ParseDraft(draft);
  if (e && !e->dynamic && e->type != Type::kBool) {
    Report(*draft.source, draft.source->At(draft.text, 0),
           "expected a condition for " + what + ", found " + ToText(*e) + ", a " + std::string(TypeName(e->type)));
  }
  return e;
}

std::optional<StaticType> PlanLoader::TypeOfMetric(const std::string& name) {
  const auto found = metrics_.find(name);
  if (found == metrics_.end()) return std::nullopt;
  MetricDraft& metric = found->second;
  if (metric.state == MetricDraft::State::kParsing) {
    Report(*metric.draft.source, metric.location, "the metric \"" + name + "\" is defined by itself, in a circle");
    return std::nullopt;
  }
  if (metric.state == MetricDraft::State::kWaiting) {
    metric.state = MetricDraft::State::kParsing;
    metric.value = ParseDraft(metric.draft);
    metric.state = MetricDraft::State::kDone;
  }
  if (!metric.value) return std::nullopt;
  return StaticType{metric.value->type, metric.value->dynamic, HoldsKeys(*metric.value)};
}

bool PlanLoader::HoldsKeys(const Expression& expression) const {
  bool holds = attune::HoldsKeys(expression, *plan_);
  attune::ForEach(expression, [&](const Expression& e) {
    if (e.kind == Expression::Kind::kMetric) holds |= HoldsKeys(*metrics_.at(e.text).value);
  });
  return holds;
}

void PlanLoader::ReadExpressions() {
  for (const auto& [name, metric] : metrics_) TypeOfMetric(name);
  for (auto& [name, metric] : metrics_) plan_->metrics.push_back({name, std::move(metric.value), metric.location});
  // The expressions below need the types of metrics whose values have moved into the plan.
  names_.metric_type = [this](const std::string& name) -> std::optional<StaticType> {
    const Metric* metric = plan_->FindMetric(name);
    if (!metric || !metric->value) return std::nullopt;
    return StaticType{metric->value->type, metric->value->dynamic, attune::HoldsKeys(*metric->value, *plan_)};
  };
  for (SegmentDraft& draft : segments_) {
    draft.segment.when = ParseCondition(draft.when, "the segment \"" + draft.segment.name + "\"");
    plan_->segments.push_back(std::move(draft.segment));
  }
  for (TriggerDraft& draft : triggers_) ReadTriggerExpressions(&draft);
  const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
  std::sort(plan_->segments.begin(), plan_->segments.end(), by_name);
  std::sort(plan_->triggers.begin(), plan_->triggers.end(), by_name);
  std::sort(plan_->trigger_groups.begin(), plan_->trigger_groups.end(), by_name);
}

void PlanLoader::ReadTriggerExpressions(TriggerDraft* draft) {
  Trigger& trigger = draft->trigger;
  if (trigger.kind == Trigger::Kind::kOn) {
    if (!draft->on.text.IsScalar()) return Report(*draft->on.source, trigger.location, "expected a selector for \"on\"");
    std::vector<Mistake> mistakes;
    auto selector = ParseSelector(draft->on.text.Scalar(), names_, *Zone::Find(plan_->timezone), &mistakes);
    Say(draft->on, mistakes);
    if (selector) trigger.on = std::move(*selector);
  }
  if (draft->when.text.IsScalar()) {
    trigger.when = ParseCondition(draft->when, "the trigger \"" + trigger.name + "\"");
  } else if (trigger.kind != Trigger::Kind::kOn) {
    Report(*draft->when.source, trigger.location, "expected an expression for the trigger \"" + trigger.name + "\"");
  }
  if (!draft->only_if.text.IsNull() && !draft->only_if.text.IsScalar()) {
    Report(*draft->only_if.source, draft->only_if.text, "expected a condition for \"only_if\", found " + NodeKind(draft->only_if.text));
  } else if (draft->only_if.text.IsScalar()) {
    trigger.only_if = ParseCondition(draft->only_if, "\"only_if\" of the trigger \"" + trigger.name + "\"");
  }
  for (const auto& [name, text] : draft->with) trigger.with.emplace_back(name, ParseDraft(text));
  std::sort(trigger.with.begin(), trigger.with.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  plan_->triggers.push_back(std::move(trigger));
}

}  // namespace attune
