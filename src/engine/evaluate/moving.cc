#include "engine/evaluate/moving.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "engine/program/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using Motions = absl::InlinedVector<Motion, 4>;

constexpr double kExactWhole = 9007199254740992.0;  // 2^53: doubles hold milliseconds exactly up to this

bool HasAmount(Type type) { return type == Type::kNumber || type == Type::kTime || type == Type::kDuration; }
double AmountOf(const Value& v) { return v.type() == Type::kNumber ? v.number() : static_cast<double>(v.duration()); }

Motion Unknown() { return {}; }
Motion Fixed(const Value& value) {
  Motion m;
  m.kind = Motion::Kind::kFixed;
  m.value = value;
  m.type = value.type();
  if (!HasAmount(m.type)) return m;
  m.low = m.high = m.base_low = m.base_high = AmountOf(value);
  m.straight = true;
  return m;
}
Motion Null() { return Fixed(Value()); }

Value AmountAs(Type type, double amount) {
  if (type == Type::kNumber) return Value::Number(amount);
  const auto whole = static_cast<Millis>(amount);
  return type == Type::kTime ? Value::Time(whole) : Value::Duration(whole);
}

// A motion within [low, high] on any path.
Motion Between(Type type, double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return Unknown();
  if (type != Type::kNumber && std::max(std::abs(low), std::abs(high)) > kExactWhole) return Unknown();
  if (low == high) return Fixed(AmountAs(type, low));
  Motion m;
  m.kind = Motion::Kind::kBetween;
  m.type = type;
  m.low = m.base_low = low;
  m.high = m.base_high = high;
  return m;
}

// Gives `to` a slope and widens it by the rounding errors of the number and the line. Whole milliseconds are exact. If
// the slopes of operands cancel, the line is tighter than the bounds.
Motion Sloped(Motion to, double length, bool straight, double gross, double slope, double base_low, double base_high) {
  if (to.kind != Motion::Kind::kBetween) return to;
  double room = 0;
  if (to.type == Type::kNumber) {
    const double largest = std::max({std::abs(to.low), std::abs(to.high), std::abs(base_low), std::abs(base_high), std::abs(slope) * length});
    room = 4 * std::numeric_limits<double>::epsilon() * largest;
  }
  to.straight = straight;
  to.gross = gross;
  to.slope = slope;
  to.base_low = base_low - room;
  to.base_high = base_high + room;
  to.low = std::max(to.low, to.base_low + std::min(0.0, slope * length));
  to.high = std::min(to.high, to.base_high + std::max(0.0, slope * length));
  return to.low == to.high ? Fixed(AmountAs(to.type, to.low)) : to;
}

Type TypeOfSum(Type a, Type b, bool subtract) {
  if (a == b && (a == Type::kNumber || a == Type::kDuration)) return a;
  if (a == Type::kTime && b == Type::kDuration) return Type::kTime;
  if (subtract) return a == Type::kTime && b == Type::kTime ? Type::kDuration : Type::kNull;
  return a == Type::kDuration && b == Type::kTime ? Type::kTime : Type::kNull;
}

Motion Negated(const Motion& x, double length) {
  if (x.type == Type::kTime) return Null();
  return Sloped(Between(x.type, -x.high, -x.low), length, x.straight, x.gross, -x.slope, -x.base_high, -x.base_low);
}

Motion Sum(const Motion& a, const Motion& b, bool subtract, Type type, double length) {
  const double low = subtract ? a.low - b.high : a.low + b.low;
  const double high = subtract ? a.high - b.low : a.high + b.high;
  return Sloped(Between(type, low, high), length, a.straight && b.straight, a.gross + b.gross, subtract ? a.slope - b.slope : a.slope + b.slope,
                subtract ? a.base_low - b.base_high : a.base_low + b.base_low,
                subtract ? a.base_high - b.base_low : a.base_high + b.base_high);
}

// A product or quotient is monotonic in each operand, and rounding keeps order. So its extremes are among the values at
// the ends of the operands.
Motion Product(const Motion& a, const Motion& b, bool divide, double length) {
  if (divide && b.low <= 0 && b.high >= 0) return b.low == b.high ? Null() : Unknown();
  const auto apply = [&](double x, double y) { return divide ? x / y : x * y; };
  const auto ends = {apply(a.low, b.low), apply(a.low, b.high), apply(a.high, b.low), apply(a.high, b.high)};
  for (const double end : ends) {
    if (!std::isfinite(end)) return Unknown();
  }
  const Motion whole = Between(Type::kNumber, std::min(ends), std::max(ends));
  if (b.kind != Motion::Kind::kFixed) {
    return divide || a.kind != Motion::Kind::kFixed ? whole : Product(b, a, false, length);
  }
  const auto base = std::minmax({apply(a.base_low, b.low), apply(a.base_high, b.low)});
  return Sloped(whole, length, a.straight, std::abs(apply(a.gross, b.low)), apply(a.slope, b.low), base.first, base.second);
}

Motion Least(const Motion& a, const Motion& b, double length) {
  if (a.high <= b.low) return a;
  if (b.high <= a.low) return b;
  const Motion whole = Between(a.type, std::min(a.low, b.low), std::min(a.high, b.high));
  if (a.slope != b.slope) return whole;
  return Sloped(whole, length, false, 0, a.slope, std::min(a.base_low, b.base_low), std::min(a.base_high, b.base_high));
}

Motion Greatest(const Motion& a, const Motion& b, double length) {
  if (a.low >= b.high) return a;
  if (b.low >= a.high) return b;
  const Motion whole = Between(a.type, std::max(a.low, b.low), std::max(a.high, b.high));
  if (a.slope != b.slope) return whole;
  return Sloped(whole, length, false, 0, a.slope, std::max(a.base_low, b.base_low), std::max(a.base_high, b.base_high));
}

Motion Absolute(const Motion& x, double length) {
  if (x.type == Type::kTime) return Null();
  if (x.low >= 0) return x;
  if (x.high <= 0) return Negated(x, length);
  return Between(x.type, 0, std::max(-x.low, x.high));
}

Motion Rounded(const Motion& x, double length) {
  if (x.type != Type::kNumber) return Null();
  return Sloped(Between(x.type, std::round(x.low), std::round(x.high)), length, false, 0, x.slope, x.base_low - 0.5, x.base_high + 0.5);
}

Motion Logarithm(const Motion& x) {
  if (x.type != Type::kNumber || x.high <= -1) return Null();
  if (x.low <= -1) return Unknown();
  double low = std::log1p(x.low);
  double high = std::log1p(x.high);
  if (x.low != x.high) {
    // The library's result may be off by one unit in the last place, so it may not rise where the logarithm does.
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    low = std::nextafter(std::nextafter(low, -kInfinity), -kInfinity);
    high = std::nextafter(std::nextafter(high, kInfinity), kInfinity);
  }
  return Between(x.type, low, high);
}

Motion Scaled(const Motions& args, double length) {
  const Type type = args[0].type == Type::kNumber ? Type::kNumber : Type::kDuration;
  const Motion above = Sum(args[0], args[1], true, type, length);
  const Motion width = Sum(args[2], args[1], true, type, length);
  if (above.kind == Motion::Kind::kUnknown || width.kind == Motion::Kind::kUnknown) return Unknown();
  const Motion share = Product(above, width, true, length);
  if (share.kind == Motion::Kind::kUnknown || share.IsFixedNull()) return share;
  return Greatest(Least(share, Fixed(Value::Number(1)), length), Fixed(Value::Number(0)), length);
}

Value Apply(const Node& node, const Value* values) {
  if (node.kind >= Kind::kAdd && node.kind <= Kind::kDivide) return Calculate(node.kind, values[0], values[1]);
  return CallFunction(node.kind, values, node.count);
}

// Requires that no operand is null, unknown, or without an amount, and that some operand is not fixed.
Motion Operation(const Node& node, const Motions& args, double length) {
  const Motion& x = args[0];
  switch (node.kind) {
    case Kind::kAdd:
    case Kind::kSubtract: {
      const bool subtract = node.kind == Kind::kSubtract;
      const Type type = TypeOfSum(x.type, args[1].type, subtract);
      return type == Type::kNull ? Null() : Sum(x, args[1], subtract, type, length);
    }
    case Kind::kMultiply:
      if (x.type != Type::kNumber || args[1].type != Type::kNumber) return Null();
      return Product(x, args[1], false, length);
    case Kind::kDivide:
      if (x.type != args[1].type || x.type == Type::kTime) return Null();
      return Product(x, args[1], true, length);
    case Kind::kNegate: return Negated(x, length);
    case Kind::kAbs: return Absolute(x, length);
    case Kind::kRound: return Rounded(x, length);
    case Kind::kLog1p: return Logarithm(x);
    default: break;
  }
  for (const Motion& arg : args) {
    if (arg.type != x.type) return Null();
  }
  if (node.kind == Kind::kScale) return Scaled(args, length);
  if (node.kind == Kind::kClamp) return Greatest(Least(x, args[2], length), args[1], length);
  Motion best = x;
  for (const Motion& arg : args) best = node.kind == Kind::kMin ? Least(best, arg, length) : Greatest(best, arg, length);
  return best;
}

}  // namespace

void MovingTerm::Add(Evaluator* evaluator, NodeId id, const Value* known) {
  const Node& node = evaluator->At(id);
  const bool rises = node.moving && node.kind == Kind::kAggregate;
  const auto at = static_cast<uint32_t>(parts_.size());
  if (rises || !node.moving) {
    const Value value = known ? *known : evaluator->Node(id).value;
    parts_.push_back({nullptr, value, rises && value.type() == Type::kDuration, 1});
    return;
  }
  parts_.push_back({&node, Value(), false, 1});
  for (uint32_t i = 0; i < node.count; ++i) Add(evaluator, evaluator->Child(node, i), nullptr);
  parts_[at].size = static_cast<uint32_t>(parts_.size()) - at;
}

bool MovingTerm::IsPlain(Value* at_t, Millis* slope) const {
  *at_t = parts_[0].value;
  *slope = parts_[0].rises ? 1 : 0;
  return parts_[0].operation == nullptr;
}

Value MovingTerm::ValueOf(uint32_t at, Millis instant) const {
  const Part& part = parts_[at];
  if (!part.operation) return part.rises ? Value::Duration(part.value.duration() + (instant - t_)) : part.value;
  absl::InlinedVector<Value, 4> values;
  for (uint32_t i = at + 1; i < at + part.size; i += parts_[i].size) values.push_back(ValueOf(i, instant));
  return Apply(*part.operation, values.data());
}

Motion MovingTerm::MotionOf(uint32_t at, Millis from, Millis to) const {
  const Part& part = parts_[at];
  const auto length = static_cast<double>(to - from);
  if (!part.operation) {
    if (!part.rises) return Fixed(part.value);
    const double begin = static_cast<double>(part.value.duration()) + static_cast<double>(from - t_);
    return Sloped(Between(Type::kDuration, begin, begin + length), length, true, 1, 1, begin, begin);
  }
  Motions args;
  bool fixed = true, unknown = false, null = false, amounts = true;
  for (uint32_t i = at + 1; i < at + part.size; i += parts_[i].size) {
    args.push_back(MotionOf(i, from, to));
    const Motion& arg = args.back();
    if (part.operation->kind == Kind::kCoalesce && !arg.IsFixedNull()) return arg;
    fixed &= arg.kind == Motion::Kind::kFixed;
    unknown |= arg.kind == Motion::Kind::kUnknown;
    null |= arg.IsFixedNull();
    amounts &= arg.kind == Motion::Kind::kUnknown || HasAmount(arg.type);
  }
  if (null) return Null();
  if (fixed) {
    absl::InlinedVector<Value, 4> values;
    for (const Motion& arg : args) values.push_back(arg.value);
    return Fixed(Apply(*part.operation, values.data()));
  }
  if (!amounts) return Null();
  return unknown ? Unknown() : Operation(*part.operation, args, length);
}

}  // namespace attune
