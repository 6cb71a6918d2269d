#include "engine/state/state_bound.h"

#include <algorithm>
#include <set>

#include "engine/state/keys.h"
#include "engine/state/memberships.h"

namespace attune {

int64_t StateBound(const Program& program, NodeId root) {
  std::set<uint32_t> seen_series, seen_totals, seen_sequences;
  bool sessions_used = false;
  bool rows_used = false;
  bool past_used = false;
  constexpr int64_t kMembership = 40;  // when it began, and the next instant of change
  int64_t bytes = kMembership;
  const auto visit = [&](const auto& self, NodeId id) -> void {
    const Node& node = program.nodes[id];
    for (uint32_t i = 0; i < node.count; ++i) self(self, program.children[node.first + i]);
    if (node.kind == Expression::Kind::kSome || node.kind == Expression::Kind::kTop) {
      const KeySpec& spec = program.keys[node.index];
      bytes += program.plan->limit_events * (static_cast<int64_t>(sizeof(Key)) + StateBound(*spec.within, spec.root));
      for (const AggregateSpec& a : spec.within->aggregates) rows_used |= a.outer;
      for (const Node& each : spec.within->nodes) past_used |= Program::NamesPast(each.kind);
    }
    if (node.aggregate == kNone) return;
    const AggregateSpec& a = program.aggregates[node.aggregate];
    past_used |= Program::NamesPast(node.kind);
    if (a.series != kNone) seen_series.insert(a.series);
    if (a.total != kNone) seen_totals.insert(a.total);
    if (a.sequence != kNone && !a.outer) seen_sequences.insert(program.sequences.query(a.sequence).sequence);
    sessions_used |= a.window == Window::Kind::kSession || a.window == Window::Kind::kLastSession || a.method == Aggregate::Method::kSessions;
    if (a.anchor != kNone) self(self, a.anchor);
  };
  visit(visit, root);
  for (const uint32_t i : seen_series) {
    const int64_t entries = program.series[i].keep_span > 0 ? std::max<int64_t>(program.plan->limit_events, program.series[i].keep_count) : program.series[i].keep_count;
    bytes += 48 + entries * (program.series[i].field == kNone ? 8 : 16);
  }
  bytes += static_cast<int64_t>(seen_totals.size()) * 32;
  // All sequences share the rows. As many rows again may accumulate between two trims.
  if (rows_used || !seen_sequences.empty()) bytes += program.plan->limit_events * static_cast<int64_t>(program.sequences.layout().row_bytes()) * 3 / 2;
  for (const uint32_t i : seen_sequences) {
    const SequenceProgram::Sequence& sequence = program.sequences.sequence(i);
    bytes += int64_t{sequence.steps} * 32;
    if (sequence.column != SequenceProgram::kNoColumn) bytes += 2 * program.plan->limit_events * (25 + 16 * int64_t{sequence.steps});
  }
  if (past_used && !program.tracked.empty()) {  // within keys, the enclosing program keeps them
    size_t words = 0;
    for (NameId name = 0; name < program.fields_of_name.size(); ++name) {
      words = std::max(words, program.fields_of_name[name].size() + (program.selectors_of_name[name].size() + 63) / 64);
    }
    // For an event: its words and their address. For changes: those of each segment.
    bytes += program.plan->limit_events * static_cast<int64_t>(sizeof(PastEvent) + words * sizeof(uint64_t) + program.past.conditions.size() * sizeof(Millis));
  }
  if (sessions_used) {
    const int64_t cut = program.plan->session_max == kNever ? 0 : 16;
    bytes += program.plan->limit_events * (static_cast<int64_t>(sizeof(Session)) + cut);
  }
  return bytes;
}

}  // namespace attune
