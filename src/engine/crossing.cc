#include "engine/crossing.h"

#include <algorithm>
#include <cmath>

#include "engine/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

constexpr Millis kHorizon = 36'525 * kDay;  // a hundred years ahead nobody waits
constexpr int kMaxWork = 20'000;            // spans looked at in one search

bool AsNumber(const Value& v, double* number) {
  if (v.type() == Type::kNumber) return *number = v.number(), true;
  if (v.type() == Type::kTime || v.type() == Type::kDuration) return *number = static_cast<double>(v.duration()), true;
  return false;
}

}  // namespace

// What does not move is the same at every instant before `until`.
Value Crossing::Constant(NodeId id) { return evaluator_.Node(id).value; }

bool Crossing::OutcomeAt(Millis instant) {
  evaluator_.t_ = instant;
  if (!predicate_) {
    const Value time = evaluator_.Node(time_).value;
    evaluator_.t_ = t_;
    return time.type() == Type::kTime && time.time() >= low_ && time.time() < high_;
  }
  Value operands[3];
  std::vector<Value> many;
  Value* values = operands;
  if (predicate_->count > 3) {
    many.resize(predicate_->count);
    values = many.data();
  }
  for (uint32_t i = 0; i < predicate_->count; ++i) values[i] = evaluator_.Node(evaluator_.Child(*predicate_, i)).value;
  const bool outcome = evaluator_.Apply(*predicate_, values).IsTrue();
  evaluator_.t_ = t_;
  return outcome;
}

Millis Crossing::Find(Millis until) {
  if (predicate_ && predicate_->kind >= Kind::kEqual && predicate_->kind <= Kind::kGreaterEqual) {
    const Line left = LineOf(evaluator_.Child(*predicate_, 0));
    const Line right = LineOf(evaluator_.Child(*predicate_, 1));
    if (left.straight && right.straight) return FindOnLine(left, right, until);
  }
  const Millis last = std::min(until - 1, t_ + kHorizon);
  if (last <= t_) return until;
  const Millis change = Search(t_ + 1, last);
  return change == kNever ? until : change;
}

Crossing::Line Crossing::LineOf(NodeId id) {
  const Node& node = evaluator_.At(id);
  if (!node.moving) {
    double number;
    return AsNumber(Constant(id), &number) ? Line{true, number, 0} : Line{};
  }
  if (node.kind == Kind::kSince || node.kind == Kind::kAge) {
    double number;
    return AsNumber(Constant(id), &number) ? Line{true, number, 1} : Line{};
  }
  if (node.kind == Kind::kNegate) {
    const Line line = LineOf(evaluator_.Child(node, 0));
    return {line.straight, -line.at_t, -line.slope};
  }
  if (node.kind < Kind::kAdd || node.kind > Kind::kDivide) return {};
  const Line a = LineOf(evaluator_.Child(node, 0));
  const Line b = LineOf(evaluator_.Child(node, 1));
  if (!a.straight || !b.straight) return {};
  switch (node.kind) {
    case Kind::kAdd: return {true, a.at_t + b.at_t, a.slope + b.slope};
    case Kind::kSubtract: return {true, a.at_t - b.at_t, a.slope - b.slope};
    case Kind::kMultiply:
      if (b.slope == 0) return {true, a.at_t * b.at_t, a.slope * b.at_t};
      if (a.slope == 0) return {true, a.at_t * b.at_t, a.at_t * b.slope};
      return {};
    default:
      if (b.slope == 0 && b.at_t != 0) return {true, a.at_t / b.at_t, a.slope / b.at_t};
      return {};
  }
}

// The difference of two lines passes zero once: only the milliseconds around that place are tried.
Millis Crossing::FindOnLine(const Line& left, const Line& right, Millis until) {
  const double slope = left.slope - right.slope;
  if (slope == 0) return until;
  const double root = -(left.at_t - right.at_t) / slope;  // milliseconds after t
  if (root < -2 || root > static_cast<double>(kHorizon)) return until;
  const Millis from = t_ + std::max<Millis>(1, static_cast<Millis>(std::floor(root)) - 2);
  const Millis to = std::min(until - 1, t_ + static_cast<Millis>(std::ceil(root)) + 2);
  for (Millis instant = from; instant <= to; ++instant) {
    if (OutcomeAt(instant) != now_) return instant;
  }
  return until;
}

Millis Crossing::Search(Millis from, Millis to) {
  if (++work_ > kMaxWork) return from;
  if (from == to) return OutcomeAt(from) != now_ ? from : kNever;
  if (Outcome(from, to) == static_cast<int>(now_)) return kNever;
  const Millis middle = from + (to - from) / 2;
  const Millis change = Search(from, middle);
  return change != kNever ? change : Search(middle + 1, to);
}

Crossing::Span Crossing::SpanOf(NodeId id, Millis from, Millis to) {
  const Node& node = evaluator_.At(id);
  double number;
  if (!node.moving) {
    const Value value = Constant(id);
    if (AsNumber(value, &number)) return {number, number, true, false};
    return {0, 0, false, value.is_null()};
  }
  if (node.kind == Kind::kSince || node.kind == Kind::kAge) {
    if (!AsNumber(Constant(id), &number)) return {0, 0, false, true};
    return {number + static_cast<double>(from - t_), number + static_cast<double>(to - t_), true, false};
  }
  return SpanOfOperation(node, from, to);
}

// Each operation is monotone in each operand on the spans it is used on, rounding included, so that the ends of the
// result are among the results of the ends.
Crossing::Span Crossing::SpanOfOperation(const Node& node, Millis from, Millis to) {
  std::vector<Span> spans;
  for (uint32_t i = 0; i < node.count; ++i) {
    spans.push_back(SpanOf(evaluator_.Child(node, i), from, to));
    if (spans.back().null && node.kind != Kind::kCoalesce) return {0, 0, false, true};
    if (!spans.back().known && !(spans.back().null && node.kind == Kind::kCoalesce)) return {};
  }
  const Span& a = spans[0];
  const Span& b = spans[spans.size() > 1 ? 1 : 0];
  switch (node.kind) {
    case Kind::kAdd: return {a.low + b.low, a.high + b.high, true, false};
    case Kind::kSubtract: return {a.low - b.high, a.high - b.low, true, false};
    case Kind::kNegate: return {-a.high, -a.low, true, false};
    case Kind::kMultiply:
    case Kind::kDivide: {
      const bool divide = node.kind == Kind::kDivide;
      if (divide && b.low <= 0 && b.high >= 0) return {};
      const auto apply = [&](double x, double y) { return divide ? x / y : x * y; };
      const double ends[] = {apply(a.low, b.low), apply(a.low, b.high), apply(a.high, b.low), apply(a.high, b.high)};
      return {*std::min_element(ends, ends + 4), *std::max_element(ends, ends + 4), true, false};
    }
    case Kind::kAbs:
      if (a.low >= 0) return a;
      if (a.high <= 0) return {-a.high, -a.low, true, false};
      return {0, std::max(-a.low, a.high), true, false};
    case Kind::kRound: return {std::round(a.low), std::round(a.high), true, false};
    case Kind::kLog1p:
      if (a.low <= -1) return {};
      return {std::log1p(a.low), std::log1p(a.high), true, false};
    case Kind::kMin:
    case Kind::kMax: {
      Span best = a;
      for (const Span& s : spans) {
        best.low = node.kind == Kind::kMin ? std::min(best.low, s.low) : std::max(best.low, s.low);
        best.high = node.kind == Kind::kMin ? std::min(best.high, s.high) : std::max(best.high, s.high);
      }
      return best;
    }
    case Kind::kClamp: {
      const Span& c = spans[2];
      return {std::max(std::min(a.low, c.low), b.low), std::max(std::min(a.high, c.high), b.high), true, false};
    }
    case Kind::kScale: {
      const Span& c = spans[2];
      if (b.low != b.high || c.low != c.high || b.low == c.low) return {};
      const double ends[] = {std::clamp((a.low - b.low) / (c.low - b.low), 0.0, 1.0), std::clamp((a.high - b.low) / (c.low - b.low), 0.0, 1.0)};
      return {std::min(ends[0], ends[1]), std::max(ends[0], ends[1]), true, false};
    }
    case Kind::kCoalesce:
      for (const Span& s : spans) {
        if (s.known) return s;
      }
      return {0, 0, false, true};
    default: return {};
  }
}

int Crossing::Outcome(Millis from, Millis to) {
  if (!predicate_) {
    const Span time = SpanOf(time_, from, to);
    if (!time.known) return time.null ? 0 : -1;
    if (time.low >= static_cast<double>(low_) && time.high < static_cast<double>(high_)) return 1;
    return time.high < static_cast<double>(low_) || time.low >= static_cast<double>(high_) ? 0 : -1;
  }
  const Span a = SpanOf(evaluator_.Child(*predicate_, 0), from, to);
  if (predicate_->kind == Kind::kExists) return a.null ? 0 : a.known ? 1 : -1;
  if (a.null) return 0;
  if (predicate_->kind == Kind::kIn) {
    const Value list = Constant(evaluator_.Child(*predicate_, 1));
    if (list.type() != Type::kList) return 0;
    if (!a.known) return -1;
    for (const Value& item : list.list()) {
      double number;
      if (AsNumber(item, &number) && number >= a.low && number <= a.high) return -1;
    }
    return 0;
  }
  const Span b = SpanOf(evaluator_.Child(*predicate_, 1), from, to);
  if (b.null) return 0;
  if (!a.known || !b.known) return -1;
  const auto certain = [](bool yes, bool no) { return yes ? 1 : no ? 0 : -1; };
  switch (predicate_->kind) {
    case Kind::kLess: return certain(a.high < b.low, a.low >= b.high);
    case Kind::kLessEqual: return certain(a.high <= b.low, a.low > b.high);
    case Kind::kGreater: return certain(a.low > b.high, a.high <= b.low);
    case Kind::kGreaterEqual: return certain(a.low >= b.high, a.high < b.low);
    case Kind::kEqual: return certain(a.low == b.high && a.high == b.low, a.high < b.low || a.low > b.high);
    case Kind::kNotEqual: return certain(a.high < b.low || a.low > b.high, a.low == b.high && a.high == b.low);
    case Kind::kBetween: {
      const Span c = SpanOf(evaluator_.Child(*predicate_, 2), from, to);
      if (c.null) return 0;
      if (!c.known) return -1;
      return certain(a.low >= b.high && a.high <= c.low, a.high < b.low || a.low > c.high);
    }
    default: return -1;
  }
}

}  // namespace attune
