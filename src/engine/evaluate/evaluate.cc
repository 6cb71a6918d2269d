#include "engine/evaluate/evaluate.h"

#include <absl/container/inlined_vector.h>

#include <algorithm>

#include "crypto/sha256.h"
#include "engine/program/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

bool IsCondition(Kind kind) { return kind >= Kind::kAnd && kind <= Kind::kExists; }

bool IsMembership(Kind kind) {
  return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
}

}  // namespace

double BucketOf(std::string_view name, std::string_view user) {
  const Sha256Digest digest = Sha256(std::string(name) + ":" + std::string(user));
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits = bits << 8 | digest[i];
  return static_cast<double>(bits >> 11) / 9007199254740992.0;
}

Evaluator::Evaluator(const Program& program, const Interner& interner)
    : program_(program), interner_(interner), outer_program_(&program) {
  for (const KeySpec& keys : program.keys) within_.push_back(std::make_unique<Evaluator>(*keys.within, interner));
}

Timed Evaluator::Evaluate(NodeId node, const UserState& user, Millis t) {
  judging_ = false;
  user_ = outer_ = &user;
  t_ = t;
  return Node(node);
}

Outcome Evaluator::Judge(NodeId node, const UserState& user, Millis t) {
  judging_ = true;
  user_ = outer_ = &user;
  t_ = t;
  return Holds(node);
}

bool Evaluator::WindowOf(const AggregateSpec& spec, const UserState& user, Millis t, Millis* low, Millis* high) {
  judging_ = false;
  user_ = outer_ = &user;
  t_ = t;
  const Bounds bounds = BoundsOf(spec);
  *low = bounds.low;
  *high = bounds.high;
  return !bounds.none;
}

bool Evaluator::Matches(NodeId filter, NameId name, std::span<const Value> fields) {
  if (filter == kNone) return true;
  name_ = name;
  fields_ = fields;
  return Holds(filter).holds;
}

Timed Evaluator::Node(NodeId id) {
  const attune::Node& node = program_.nodes[id];
  switch (node.kind) {
    case Kind::kAggregate: return OfAggregate(node);
    case Kind::kLiteral:
    case Kind::kList: return {node.literal, kNever};
    case Kind::kProperty: return {fields_[node.index], kNever};
    case Kind::kTrait: return {ReadFact(FactKind::kTrait, program_.fact_names[node.index]), kNever};
    case Kind::kConsent: return {Value::Bool(ReadFact(FactKind::kConsent, program_.fact_names[node.index]).IsTrue()), kNever};
    case Kind::kScore: return {ReadFact(FactKind::kScore, program_.fact_names[node.index]), kNever};
    case Kind::kCluster: return {ReadFact(FactKind::kCluster, program_.fact_names[node.index]), kNever};
    case Kind::kHour:
    case Kind::kWeekday:
    case Kind::kDate: return Calendar(node.kind);
    case Kind::kBucket: return {Value::Number(BucketOf(node.literal.string(), outer_->id())), kNever};
    case Kind::kSome:
    case Kind::kTop: return FromKeys(node);
    default: break;
  }
  if (IsCondition(node.kind) || IsMembership(node.kind)) {
    const Outcome outcome = Holds(id);
    return {Value::Bool(outcome.holds), outcome.until};
  }
  if (node.kind >= Kind::kAdd && node.kind <= Kind::kDivide) return Arithmetic(node);
  if (node.kind >= Kind::kNegate && node.kind <= Kind::kScale) return Function(node);
  return OfAggregate(node);
}

Outcome Evaluator::Holds(NodeId id) {
  const attune::Node& node = program_.nodes[id];
  switch (node.kind) {
    case Kind::kAnd: return And(node, false);
    case Kind::kOr: return And(node, true);
    case Kind::kNot: {
      const Outcome x = Holds(Child(node, 0));
      return {!x.holds, x.until};
    }
    case Kind::kInSegment: return {outer_->Holds(node.index), kNever};
    case Kind::kInSegmentFor: return MemberFor(node);
    case Kind::kEntered:
    case Kind::kLeft: return Changed(node);
    case Kind::kNamed: {
      const std::vector<NameId>& names = program_.name_sets[node.index];
      return {std::find(names.begin(), names.end(), name_) != names.end(), kNever};
    }
    default: break;
  }
  if (!IsCondition(node.kind)) {
    const Timed x = Node(id);
    return {x.value.IsTrue(), x.until};
  }
  switch (node.shortcut) {
    case Shortcut::kReaches: return CompareGrowing(node);
    case Shortcut::kCountIs: return CompareCount(node);
    case Shortcut::kAge: return CompareAge(node);
    case Shortcut::kBeyond: return CompareExtreme(node);
    case Shortcut::kNone: break;
  }
  return Predicate(node);
}

// A deciding operand fixes the result until that operand changes. Evaluation stops at the first one; whether another
// operand decides is evaluated when that one changes.
Outcome Evaluator::And(const attune::Node& node, bool is_or) {
  Millis decided = kAlways;
  Millis all = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Outcome x = Holds(Child(node, i));
    if (x.holds == is_or) {
      decided = std::max(decided, x.until);
      if (judging_ || decided == kNever) break;
    } else {
      all = std::min(all, x.until);
    }
  }
  if (decided != kAlways) return {is_or, decided};
  return {!is_or, all};
}

Timed Evaluator::Arithmetic(const attune::Node& node) {
  const Timed a = Node(Child(node, 0));
  const Timed b = Node(Child(node, 1));
  return {Calculate(node.kind, a.value, b.value), std::min(a.until, b.until)};
}

Timed Evaluator::Function(const attune::Node& node) {
  absl::InlinedVector<Value, 3> values;
  Millis until = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Timed x = Node(Child(node, i));
    values.push_back(x.value);
    until = std::min(until, x.until);
  }
  return {CallFunction(node.kind, values.data(), node.count), until};
}

}  // namespace attune
