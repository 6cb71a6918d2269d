// Which conditions are judged after which change.
#include <algorithm>

#include "engine/program/compiler.h"

namespace attune {
namespace {

std::optional<FactKind> FactOf(Expression::Kind kind) {
  using Kind = Expression::Kind;
  switch (kind) {
    case Kind::kTrait: return FactKind::kTrait;
    case Kind::kConsent: return FactKind::kConsent;
    case Kind::kScore: return FactKind::kScore;
    case Kind::kCluster: return FactKind::kCluster;
    default: return std::nullopt;
  }
}

}  // namespace

void Compiler::Collect(NodeId id, Uses* uses) const {
  const Node& node = program_->nodes[id];
  for (uint32_t i = 0; i < node.count; ++i) Collect(program_->children[node.first + i], uses);
  if (NamesSegment(node.kind)) uses->segments.insert(node.index);
  if (const auto fact = FactOf(node.kind)) uses->facts[static_cast<size_t>(*fact)] = true;
  if (IsKeyed(node.kind)) CollectWithin(node.index, uses);
  if (node.aggregate == kNone) return;
  const AggregateSpec& a = program_->aggregates[node.aggregate];
  uses->sessions |= UsesSessions(a);
  uses->past_sessions |= UsesSessions(a) && (a.window != WindowKind::kSession || a.method == Method::kSessions);
  uses->every_event |= a.method == Method::kSessionLength;
  if (a.series != kNone) uses->selectors.insert(program_->series[a.series].selector);
  if (a.total != kNone) uses->selectors.insert(program_->totals[a.total].selector);
  uses->sequences |= a.sequence != kNone;
  if (a.sequence != kNone && !a.outer) CollectSteps(a.sequence, uses);
  if (a.anchor != kNone) Collect(a.anchor, uses);
}

void Compiler::CollectWithin(uint32_t keys, Uses* uses) const {
  Uses within;
  within_[keys]->Collect(program_->keys[keys].root, &within);
  uses->keys.insert(keys);
  uses->segments.insert(within.segments.begin(), within.segments.end());
  uses->sessions |= within.sessions;
  uses->past_sessions |= within.sessions;
  uses->every_event |= within.every_event;
  uses->sequences |= within.sequences;
  for (size_t kind = 0; kind < kFactKinds; ++kind) uses->facts[kind] |= within.facts[kind];
}

void Compiler::CollectSteps(uint32_t query_id, Uses* uses) const {
  const SequenceProgram& sequences = program_->sequences;
  const SequenceQuery& query = sequences.query(query_id);
  const auto steps = sequences.steps(sequences.sequence(query.sequence));
  const bool all = query.kind == SequenceQuery::Kind::kDepth;
  for (const SequenceProgram::Step& step : all ? steps : steps.last(1)) uses->selectors.insert(sequences.SelectorOf(step.mark));
}

bool Compiler::Reads(NodeId id, uint32_t selector) const {
  Uses uses;
  Collect(id, &uses);
  return uses.selectors.contains(selector);
}

void Compiler::Listen() {
  Program& p = *program_;
  const ConditionSet none(p.conditions.size());
  p.listeners_of_selector.assign(p.selectors.size(), {none, none, none, none, {}, {}});
  p.listeners_of_sequence.resize(p.sequences.size());
  p.listeners_of_keys.assign(p.keys.size(), none);
  p.keys_of_segment.resize(p.conditions.size());
  p.dependents_of_segment.assign(p.conditions.size(), none);
  p.rising = p.falling = p.clock_readers = p.session_listeners = p.past_session_listeners = p.event_listeners = none;
  p.fact_listeners.assign(kFactKinds, none);
  for (ConditionId c = 0; c < p.conditions.size(); ++c) {
    if (p.conditions[c].root == kNone || p.conditions[c].on_selector != kNone) continue;  // judged at its event
    Uses uses;
    Collect(p.conditions[c].root, &uses);
    for (const uint32_t selector : uses.selectors) ListenTo(selector, c);
    AddGuards(c, p.conditions[c].root, true, false);
    for (const uint32_t keys : uses.keys) p.listeners_of_keys[keys].Add(c);
    for (const uint32_t segment : uses.segments) p.dependents_of_segment[segment].Add(c);
    if (p.ReadsClock(p.conditions[c].root)) p.clock_readers.Add(c);
    if (uses.sessions) p.session_listeners.Add(c);
    if (uses.past_sessions) p.past_session_listeners.Add(c);
    if (uses.every_event) p.event_listeners.Add(c);
    for (size_t kind = 0; kind < kFactKinds; ++kind) {
      if (uses.facts[kind]) p.fact_listeners[kind].Add(c);
    }
    const Trend trend = TrendOf(p.conditions[c].root, std::nullopt);
    if (trend.rises) p.rising.Add(c);
    if (trend.falls) p.falling.Add(c);
  }
  for (Listeners& listeners : p.listeners_of_selector) listeners.Finish();
}

void Compiler::ListenTo(uint32_t selector, ConditionId c) {
  const NodeId root = program_->conditions[c].root;
  Listeners& listeners = program_->listeners_of_selector[selector];
  listeners.all.Add(c);
  const Trend trend = TrendOf(root, selector);
  if (trend.rises) listeners.rising.Add(c);
  if (trend.falls) listeners.falling.Add(c);
  if (const auto wait = WaitOf(*program_, root, selector)) listeners.waits.push_back({c, *wait});
}

void Compiler::AddGuards(ConditionId c, NodeId id, bool alone, bool negated) {
  Program& p = *program_;
  const Node& node = p.nodes[id];
  if (node.kind == Kind::kNot) return AddGuards(c, p.children[node.first], alone, !negated);
  if (node.kind == Kind::kAnd || node.kind == Kind::kOr) {
    for (uint32_t i = 0; i < node.count; ++i) AddGuards(c, p.children[node.first + i], false, negated);
    return;
  }
  if (const auto sequence = SequenceOf(node)) {
    p.listeners_of_sequence[*sequence].push_back(c);
    return;
  }
  auto guard = GuardOf(p, id, alone);
  if (guard) {
    guard->condition = c;
    guard->negated = negated;
    guard->when_reached = guard->when_reached != negated;
  }
  Uses uses;
  Collect(id, &uses);
  for (const uint32_t selector : uses.selectors) {
    if (guard) {
      p.listeners_of_selector[selector].Add(p.aggregates[p.nodes[p.children[node.first]].aggregate].series, *guard);
    } else {
      p.listeners_of_selector[selector].unguarded.Add(c);
    }
  }
}

}  // namespace attune
