// The change that an event can make to a condition.
#include "engine/program/compiler.h"

namespace attune {

Compiler::Trend Compiler::TrendOf(NodeId id, std::optional<uint32_t> selector) const {
  const Node& node = program_->nodes[id];
  const auto child = [&](uint32_t i) { return program_->children[node.first + i]; };
  const bool joins = node.kind == Kind::kAnd || node.kind == Kind::kOr || node.kind == Kind::kNot;
  if (!joins && selector && !Reads(id, *selector)) return {true, true};
  switch (node.kind) {
    case Kind::kLiteral:
    case Kind::kTrait:
    case Kind::kConsent:
    case Kind::kInSegment:
    case Kind::kInSegmentFor:
    case Kind::kBucket: return {true, true};
    case Kind::kSequence: {
      const NodeId anchor = program_->aggregates[node.aggregate].anchor;
      return {anchor == kNone || (selector && !Reads(anchor, *selector)), false};
    }
    case Kind::kNot: {
      const Trend x = TrendOf(child(0), selector);
      return {x.falls, x.rises};
    }
    case Kind::kAnd:
    case Kind::kOr: {
      Trend all{true, true};
      for (uint32_t i = 0; i < node.count; ++i) {
        const Trend x = TrendOf(child(i), selector);
        all = {all.rises && x.rises, all.falls && x.falls};
      }
      return all;
    }
    case Kind::kEqual:
    case Kind::kNotEqual:
    case Kind::kLess:
    case Kind::kLessEqual:
    case Kind::kGreater:
    case Kind::kGreaterEqual:
      return TrendOfComparison(node.kind, program_->nodes[child(0)], program_->nodes[child(1)], selector);
    default: return {};
  }
}

Compiler::Trend Compiler::TrendOfComparison(Kind op, const Node& left, const Node& right, std::optional<uint32_t> selector) const {
  if (left.aggregate == kNone || right.kind != Kind::kLiteral) return {};
  const NodeId anchor = program_->aggregates[left.aggregate].anchor;
  if (anchor != kNone && (!selector || Reads(anchor, *selector))) return {};
  const Method method = program_->aggregates[left.aggregate].method;
  const bool number = right.literal.type() == Type::kNumber;
  if (op == Kind::kEqual || op == Kind::kNotEqual) {
    const bool counts = left.kind == Kind::kAggregate && (method == Method::kCount || method == Method::kDistinct);
    const bool none = counts && number && right.literal.number() == 0;
    return {none && op == Kind::kNotEqual, none && op == Kind::kEqual};
  }
  using Side = Aggregate::Side;
  const Side side = op == Kind::kGreater || op == Kind::kGreaterEqual ? Side::kAtLeast : Side::kAtMost;
  if (left.kind == Kind::kSequenceDepth || left.kind == Kind::kSequenceMatches) return {side == Side::kAtLeast, side == Side::kAtMost};
  if (left.kind != Kind::kAggregate) return {};
  const Aggregate& aggregate = *program_->aggregates[left.aggregate].aggregate;
  // Numbers take precedence over other types.
  if (aggregate.gives == Aggregate::Gives::kPropertyType && !number) return {};
  return {aggregate.only_rises == side, aggregate.only_falls == side};
}

}  // namespace attune
