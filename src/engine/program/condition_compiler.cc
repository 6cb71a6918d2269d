// Segments and triggers as conditions.
#include <algorithm>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

void Compiler::OrderSegments() {
  const Plan& plan = *program_->plan;
  program_->segment_count = plan.segments.size();
  program_->condition_of_segment.assign(plan.segments.size(), kNone);
  for (uint32_t i = 0; i < plan.segments.size(); ++i) PlaceSegment(i);
  ResolveSegments(0);
}

void Compiler::PlaceSegment(uint32_t index) {
  if (program_->condition_of_segment[index] != kNone) return;
  Uses uses;
  Collect(segment_roots_[index], &uses);
  for (const uint32_t used : uses.segments) PlaceSegment(used);
  const Segment& segment = program_->plan->segments[index];
  Condition condition;
  condition.name = segment.name;
  condition.root = segment_roots_[index];
  condition.segment = &segment;
  program_->condition_of_segment[index] = static_cast<ConditionId>(program_->conditions.size());
  program_->conditions.push_back(std::move(condition));
}

void Compiler::ResolveSegments(size_t first) {
  for (size_t i = first; i < program_->nodes.size(); ++i) {
    Node& node = program_->nodes[i];
    if (NamesSegment(node.kind)) node.index = program_->condition_of_segment[node.index];
  }
}

void Compiler::AddTrigger(const Trigger& trigger) {
  const size_t nodes = program_->nodes.size();
  Condition condition;
  condition.name = trigger.name;
  condition.trigger = &trigger;
  Compiler* carried = this;
  if (const Expression* some = program_->plan->KeyedBy(trigger)) {
    condition.root = KeyedRoot(*some);
    condition.keys = program_->nodes[condition.root].index;
    carried = within_[condition.keys].get();
  } else if (trigger.when) {
    condition.root = Compile(*trigger.when);
  }
  if (trigger.kind == Trigger::Kind::kOn) condition.on_selector = Selector(trigger.on);
  if (trigger.only_if) condition.only_if = Compile(*trigger.only_if);
  if (const TriggerGroup* group = program_->plan->FindTriggerGroup(trigger.group)) condition.group_cap = group->at_most;
  condition.firings_count = std::max({trigger.cooldown, trigger.at_most ? trigger.at_most->span : 0, condition.group_cap.span});
  for (const auto& [name, value] : trigger.with) condition.with.emplace_back(name, carried->Compile(*value));
  ResolveSegments(nodes);
  if (trigger.kind == Trigger::Kind::kOn) {
    program_->condition_of_on_trigger.push_back(static_cast<ConditionId>(program_->conditions.size()));
  }
  program_->conditions.push_back(std::move(condition));
}

}  // namespace attune
