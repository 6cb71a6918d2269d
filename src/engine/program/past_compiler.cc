// Segments whose changes are kept: for how long, and what computes them.
#include <algorithm>
#include <set>

#include "engine/program/compiler.h"

namespace attune {

void Compiler::Track() {
  Program& p = *program_;
  p.tracked_of_segment.assign(p.conditions.size(), kNone);
  TrackNamedSegments(p);
  for (const KeySpec& keys : p.keys) TrackNamedSegments(*keys.within);
  p.past.selectors.assign(p.selectors.size(), false);
  std::set<ConditionId> conditions;
  for (const TrackedSegment& tracked : p.tracked) {
    AddPast(tracked.segment, &conditions);
    p.past.span = std::max(p.past.span, Sum(tracked.keep_span, ReachOfSegment(tracked.segment)));
    p.past.changes_span = std::max(p.past.changes_span, Sum(tracked.keep_span, ChangesReachOfSegment(tracked.segment)));
  }
  p.past.conditions.assign(conditions.begin(), conditions.end());
}

void Compiler::TrackNamedSegments(const Program& program) {
  Program& p = *program_;
  for (const Node& node : program.nodes) {
    if (!program.NamesPast(node.kind)) continue;
    uint32_t& tracked = p.tracked_of_segment[node.index];
    if (tracked == kNone) {
      tracked = static_cast<uint32_t>(p.tracked.size());
      p.tracked.push_back({node.index, 0});
    }
    Millis& span = p.tracked[tracked].keep_span;
    span = std::max(span, SpanOf(program.aggregates[node.aggregate]));
  }
}

void Compiler::AddPast(ConditionId c, std::set<ConditionId>* conditions) {
  if (!conditions->insert(c).second) return;
  Program::Past& past = program_->past;
  Uses uses;
  Collect(program_->conditions[c].root, &uses);
  for (const uint32_t selector : uses.selectors) past.selectors[selector] = true;
  past.all_events |= uses.sessions || uses.every_event || uses.sequences || !uses.keys.empty();
  past.keys.insert(uses.keys.begin(), uses.keys.end());
  past.sequences |= uses.sequences;
  for (size_t kind = 0; kind < kFactKinds; ++kind) past.facts[kind] |= uses.facts[kind];
  for (const uint32_t segment : uses.segments) AddPast(segment, conditions);
}

Millis Compiler::SpanOf(const AggregateSpec& a) {
  if (a.fn == Kind::kInSegmentFor) return a.length;
  if (a.method == Method::kStretches) return a.length * static_cast<Millis>(a.number);
  switch (a.window) {
    case WindowKind::kSliding: return a.length + a.offset;
    case WindowKind::kThisHour:
    case WindowKind::kToday:
    case WindowKind::kThisWeek:
    case WindowKind::kThisMonth: return PeriodSpan(a.window);
    default: return kNever;
  }
}

Millis Compiler::ReachOf(NodeId id) const {
  const Node& node = program_->nodes[id];
  if (IsKeyed(node.kind)) return kNever;  // a key exists from its first event on
  Millis reach = 0;
  for (uint32_t i = 0; i < node.count; ++i) reach = std::max(reach, ReachOf(program_->children[node.first + i]));
  if (node.aggregate != kNone) {
    const AggregateSpec& a = program_->aggregates[node.aggregate];
    // A session can be arbitrarily long.
    reach = std::max(reach, UsesSessions(a) || a.anchor != kNone ? kNever : SpanOf(a));
  }
  return NamesSegment(node.kind) ? Sum(reach, ReachOfSegment(node.index)) : reach;
}

Millis Compiler::ReachOfSegment(ConditionId segment) const {
  if (const auto known = reaches_.find(segment); known != reaches_.end()) return known->second;
  return reaches_[segment] = ReachOf(program_->conditions[segment].root);
}

Millis Compiler::ChangesReachOf(NodeId id) const {
  const Node& node = program_->nodes[id];
  if (IsKeyed(node.kind)) {
    const auto& within = program_->keys[node.index].within->nodes;
    return std::any_of(within.begin(), within.end(), [](const Node& n) { return NamesSegment(n.kind); }) ? kNever : 0;
  }
  Millis reach = 0;
  for (uint32_t i = 0; i < node.count; ++i) reach = std::max(reach, ChangesReachOf(program_->children[node.first + i]));
  if (node.aggregate != kNone && program_->aggregates[node.aggregate].anchor != kNone) {
    reach = std::max(reach, ChangesReachOf(program_->aggregates[node.aggregate].anchor));
  }
  if (!NamesSegment(node.kind)) return reach;
  const Millis span = program_->NamesPast(node.kind) ? SpanOf(program_->aggregates[node.aggregate]) : 0;
  return std::max(reach, Sum(span, ChangesReachOfSegment(node.index)));
}

Millis Compiler::ChangesReachOfSegment(ConditionId segment) const {
  if (const auto known = changes_reaches_.find(segment); known != changes_reaches_.end()) return known->second;
  return changes_reaches_[segment] = ChangesReachOf(program_->conditions[segment].root);
}

}  // namespace attune
