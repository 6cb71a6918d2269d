#include "engine/evaluate/crossing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/program/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

constexpr Millis kHorizon = 36'525 * kDay;  // a hundred years; later changes are not searched for
constexpr int kMaxWork = 4'000;             // stretches examined in one search

// A slope below this fraction of the slopes that it was computed from is only rounding error.
constexpr double kCancelled = 1e-9;

// How two values may compare, as a set.
constexpr int kBelow = 1, kEven = 2, kAbove = 4;

int Accepted(Kind comparison) {
  switch (comparison) {
    case Kind::kLess: return kBelow;
    case Kind::kLessEqual: return kBelow | kEven;
    case Kind::kGreater: return kAbove;
    case Kind::kGreaterEqual: return kAbove | kEven;
    case Kind::kEqual: return kEven;
    default: return kBelow | kAbove;
  }
}

}  // namespace

Crossing::Crossing(Evaluator* evaluator, const Node& predicate, const Value* operands, bool now)
    : evaluator_(*evaluator), predicate_(&predicate), now_(now), t_(evaluator->t_) {
  const auto term = [&](uint32_t i) { return MovingTerm(evaluator, evaluator->Child(predicate, i), operands[i]); };
  const bool contains = predicate.kind == Kind::kContains && operands[0].type() == Type::kList;
  if (predicate.kind == Kind::kIn || contains) {
    form_ = Form::kAny;
    operands_.push_back(term(contains ? 1 : 0));
    const Value& list = operands[contains ? 0 : 1];
    if (list.type() != Type::kList) return;
    for (const Value& item : list.list()) operands_.emplace_back(item);
    return;
  }
  for (uint32_t i = 0; i < predicate.count; ++i) operands_.push_back(term(i));
  if (predicate.kind == Kind::kBetween) {
    comparisons_[0] = Kind::kGreaterEqual;
    comparisons_[1] = Kind::kLessEqual;
  } else if (predicate.kind >= Kind::kEqual && predicate.kind <= Kind::kGreaterEqual) {
    comparisons_[0] = predicate.kind;
  } else {
    form_ = predicate.kind == Kind::kExists ? Form::kExists : Form::kText;
  }
}

Crossing::Crossing(Evaluator* evaluator, NodeId time, const Value& value, Millis low, Millis high)
    : evaluator_(*evaluator), predicate_(nullptr), now_(true), t_(evaluator->t_) {
  operands_.emplace_back(evaluator, time, value);
  operands_.emplace_back(Value::Time(low));
  operands_.emplace_back(Value::Time(high));
  comparisons_[0] = Kind::kGreaterEqual;
  comparisons_[1] = Kind::kLess;
}

Crossing::Crossing(Evaluator* evaluator, Kind comparison, const MovingTerm& a, const MovingTerm& b, bool now)
    : evaluator_(*evaluator), predicate_(nullptr), now_(now), t_(evaluator->t_) {
  operands_.push_back(a);
  operands_.push_back(b);
  comparisons_[0] = comparison;
}

Millis Crossing::Find(Millis until) {
  Millis change = kNever;
  if (FindDirectly(until, &change)) return change;
  const Millis last = std::min(until - 1, t_ + kHorizon);
  if (last <= t_) return until;
  change = Search(t_ + 1, last);
  return change == kNever ? until : change;
}

// Two values in whole milliseconds, each constant or rising by one, meet at most once. The outcome can change when they
// meet and one millisecond later.
bool Crossing::FindDirectly(Millis until, Millis* found) const {
  if (form_ != Form::kAll) return false;
  *found = until;
  Value first;
  Millis first_slope;
  if (!operands_[0].IsPlain(&first, &first_slope)) return false;
  if (first.type() != Type::kDuration && first.type() != Type::kTime) return false;
  for (size_t i = 1; i < operands_.size(); ++i) {
    Value other;
    Millis slope, apart, meeting;
    if (!operands_[i].IsPlain(&other, &slope) || other.type() != first.type()) return false;
    slope -= first_slope;
    if (slope == 0) continue;
    if (__builtin_sub_overflow(slope > 0 ? first.duration() : other.duration(), slope > 0 ? other.duration() : first.duration(), &apart) ||
        __builtin_add_overflow(t_, apart, &meeting)) {
      return false;
    }
    for (const Millis instant : {meeting, meeting + 1}) {
      if (instant > t_ && instant < *found && OutcomeAt(instant) != now_) *found = instant;
    }
  }
  return true;
}

Millis Crossing::Search(Millis from, Millis to) {
  if (from > to) return kNever;
  if (++work_ > kMaxWork) return from;
  if (to - from < 3) {
    for (Millis instant = from; instant <= to; ++instant) {
      if (OutcomeAt(instant) != now_) return instant;
    }
    return kNever;
  }
  Outlook outlook = Look(from, to);
  if (outlook.outcome >= 0) return outlook.outcome == static_cast<int>(now_) ? kNever : from;
  if (outlook.rounding) return kNever;
  if (outlook.to - outlook.from > (to - from) / 2) {
    outlook.from = from;
    outlook.to = from + (to - from) / 2;
  }
  for (const auto& [begin, end] : {std::pair(from, outlook.from - 1), {outlook.from, outlook.to}, {outlook.to + 1, to}}) {
    const Millis change = Search(begin, end);
    if (change != kNever) return change;
  }
  return kNever;
}

Crossing::Outlook Crossing::Look(Millis from, Millis to) const {
  Outlook outlook;
  outlook.from = to + 1;
  outlook.to = from - 1;
  const auto nowhere_special = [&] {
    outlook.from = from;
    outlook.to = to;
    outlook.rounding = false;
    return outlook;
  };
  const Motion first = operands_[0].Over(from, to);
  if (form_ == Form::kExists) {
    if (first.kind == Motion::Kind::kUnknown) return nowhere_special();
    outlook.outcome = first.IsFixedNull() ? 0 : 1;
    return outlook;
  }
  if (form_ == Form::kText) {
    // An operand that moves has an amount, so it is not text. One that does not move can be tested at any instant.
    for (const MovingTerm& operand : operands_) {
      const Motion motion = operand.Over(from, to);
      if (motion.kind == Motion::Kind::kUnknown) return nowhere_special();
    }
    outlook.outcome = OutcomeAt(from) ? 1 : 0;
    return outlook;
  }
  const bool any = form_ == Form::kAny;
  bool certain = true;
  for (size_t i = 1; i < operands_.size(); ++i) {
    // Once one comparison fixes the outcome, the others do not matter.
    Outlook here;
    here.from = from;
    here.to = to;
    const int holds = Compared(Comparison(i), first, operands_[i].Over(from, to), &here);
    if (holds == static_cast<int>(any)) {
      outlook.outcome = holds;
      return outlook;
    }
    if (holds >= 0) continue;
    certain = false;
    outlook.from = std::min(outlook.from, here.from);
    outlook.to = std::max(outlook.to, here.to);
    outlook.rounding &= here.rounding;
  }
  if (certain) outlook.outcome = any ? 0 : 1;
  return outlook;
}

// Returns 0, 1, or -1. With -1, `outlook` has the part to examine; it is the whole stretch on entry.
int Crossing::Compared(Kind op, const Motion& a, const Motion& b, Outlook* outlook) const {
  const Millis from = outlook->from;
  const Millis to = outlook->to;
  outlook->rounding = false;
  if (a.IsFixedNull() || b.IsFixedNull()) return 0;
  if (a.kind == Motion::Kind::kUnknown || b.kind == Motion::Kind::kUnknown) return -1;
  if (a.kind == Motion::Kind::kFixed && b.kind == Motion::Kind::kFixed) return Compares(op, a.value, b.value) ? 1 : 0;
  if (a.type != b.type) return 0;

  // The difference of the two lines given by the slopes.
  const auto length = static_cast<double>(to - from);
  const double slope = a.slope - b.slope;
  double low = a.base_low - b.base_high;
  double high = a.base_high - b.base_low;
  if (a.type == Type::kNumber) {
    const double largest = std::max({std::abs(a.base_low), std::abs(a.base_high), std::abs(b.base_low), std::abs(b.base_high), std::abs(slope) * length});
    const double room = 2 * std::numeric_limits<double>::epsilon() * largest;
    low -= room;
    high += room;
  }
  const double least = low + std::min(0.0, slope * length);
  const double greatest = high + std::max(0.0, slope * length);

  int possible = 0;
  if (a.low < b.high && least < 0) possible |= kBelow;
  if (a.low <= b.high && a.high >= b.low && least <= 0 && greatest >= 0) possible |= kEven;
  if (a.high > b.low && greatest > 0) possible |= kAbove;
  const int accepted = Accepted(op);
  if ((possible & ~accepted) == 0) return 1;
  if ((possible & accepted) == 0) return 0;

  const double gross = a.gross + b.gross;
  outlook->rounding = a.type == Type::kNumber && a.straight && b.straight && gross > 0 && std::abs(slope) <= kCancelled * gross &&
                      std::abs(slope) * length <= high - low;
  if (slope == 0) return -1;
  const double first = std::min(-low / slope, -high / slope);
  const double last = std::max(-low / slope, -high / slope);
  if (first > 1) outlook->from = from + static_cast<Millis>(std::min(length, first - 1));
  if (last < length - 1) outlook->to = from + static_cast<Millis>(std::max(0.0, last + 2));
  outlook->to = std::clamp(outlook->to, outlook->from, to);
  return -1;
}

bool Crossing::OutcomeAt(Millis instant) const {
  absl::InlinedVector<Value, 3> values;
  for (const MovingTerm& operand : operands_) values.push_back(operand.At(instant));
  if (form_ == Form::kExists || form_ == Form::kText) return evaluator_.Apply(*predicate_, values.data());
  const bool any = form_ == Form::kAny;
  for (size_t i = 1; i < values.size(); ++i) {
    if (Compares(Comparison(i), values[0], values[i]) == any) return any;
  }
  return !any;
}

}  // namespace attune
