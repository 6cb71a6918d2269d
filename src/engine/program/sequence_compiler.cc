// Sequences as queries; equal queries are shared.
#include <algorithm>
#include <span>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

uint32_t Compiler::Sequence(const Expression& e) {
  AggregateSpec spec = Windowed(e);
  SequenceSpec sequence;
  std::vector<uint32_t> nots;
  for (const SequenceStep& step : e.steps) {
    const uint32_t selector = Selector(step.selector);
    if (step.negated) {
      nots.push_back(selector);
    } else {
      sequence.steps.push_back({selector, step.immediate, step.within, std::exchange(nots, {})});
    }
  }
  if (!e.by.keys.empty()) sequence.by = Field(e.by);
  sequence.from = RangeFrom(e.window);
  sequence.to = RangeTo(e.window);
  const bool fixed = e.window.kind == WindowKind::kEver || e.window.kind == WindowKind::kRange;
  sequence.tally = e.kind == Kind::kSequenceMatches && fixed;
  // `=>` means the user's very next event whatever its key, so only the user's whole history can answer it.
  const bool next = std::any_of(e.steps.begin(), e.steps.end(), [](const SequenceStep& step) { return step.immediate; });
  spec.outer = outer_ && next;
  Compiler& owner = spec.outer ? *outer_ : *this;
  SequenceProgram& sequences = owner.program_->sequences;
  SequenceQuery query;
  query.sequence = sequences.Add(sequence, SequenceKeep(e), spec.outer ? std::span(&key_, 1) : std::span<const uint32_t>());
  query.kind = e.kind == Kind::kSequence        ? SequenceQuery::Kind::kHolds
               : e.kind == Kind::kSequenceDepth ? SequenceQuery::Kind::kDepth
                                                : SequenceQuery::Kind::kMatches;
  const auto key = std::tuple(query.sequence, query.kind, ToText(e.window));
  auto known = owner.sequence_queries_.find(key);
  if (known == owner.sequence_queries_.end()) known = owner.sequence_queries_.emplace(key, sequences.AddQuery(query)).first;
  spec.sequence = known->second;
  program_->aggregates.push_back(spec);
  return static_cast<uint32_t>(program_->aggregates.size() - 1);
}

Millis Compiler::SequenceKeep(const Expression& e) const {
  const WindowKind kind = e.window.kind;
  if (kind != WindowKind::kSession && kind != WindowKind::kLastSession) return Keep(e, 0).second;
  const Millis max = program_->plan->session_max;
  return max == kNever ? kNever : max + 1;
}

std::optional<uint32_t> Compiler::SequenceOf(const Node& node) const {
  const bool compares = IsComparison(node.kind);
  if (compares && program_->nodes[program_->children[node.first + 1]].kind != Kind::kLiteral) return std::nullopt;
  const Node& at = compares ? program_->nodes[program_->children[node.first]] : node;
  if (!IsSequence(at.kind)) return std::nullopt;
  const AggregateSpec& spec = program_->aggregates[at.aggregate];
  if (spec.outer || spec.anchor != kNone) return std::nullopt;
  const SequenceQuery& query = program_->sequences.query(spec.sequence);
  const SequenceProgram::Sequence& sequence = program_->sequences.sequence(query.sequence);
  const bool followed = sequence.tally || (sequence.live && query.kind != SequenceQuery::Kind::kMatches);
  return followed ? std::optional(query.sequence) : std::nullopt;
}

}  // namespace attune
