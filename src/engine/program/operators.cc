#include "engine/program/operators.h"

#include <algorithm>
#include <cmath>

#include "event/fold.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

Value Finite(double number) { return std::isfinite(number) ? Value::Number(number) : Value(); }

// Sums of instants and durations that leave the range are null, as a number that overflows is.
Value Spanned(Type type, Millis a, Millis b, bool subtract) {
  Millis sum;
  if (subtract ? __builtin_sub_overflow(a, b, &sum) : __builtin_add_overflow(a, b, &sum)) return Value();
  return type == Type::kTime ? Value::Time(sum) : Value::Duration(sum);
}

Value Scale(const Value* args) {
  const Value& x = args[0];
  const Value& low = args[1];
  const Value& high = args[2];
  if (x.is_null() || x.type() != low.type() || x.type() != high.type()) return Value();
  double from, to, at;
  if (x.type() == Type::kNumber) {
    at = x.number(), from = low.number(), to = high.number();
  } else if (x.type() == Type::kDuration || x.type() == Type::kTime) {
    at = static_cast<double>(x.duration()), from = static_cast<double>(low.duration()), to = static_cast<double>(high.duration());
  } else {
    return Value();
  }
  if (from == to) return Value();
  return Value::Number(std::clamp((at - from) / (to - from), 0.0, 1.0));
}

bool Ordered(const Value& v) {
  return v.type() == Type::kNumber || v.type() == Type::kString || v.type() == Type::kTime || v.type() == Type::kDuration;
}

Value MinOrMax(const Value* args, size_t count, bool largest) {
  Value best = args[0];
  for (size_t i = 0; i < count; ++i) {
    if (!Ordered(args[i]) || args[i].type() != args[0].type()) return Value();
    const int order = Order(args[i], best);
    if (largest ? order > 0 : order < 0) best = args[i];
  }
  return best;
}

}  // namespace

bool Compares(Kind op, const Value& a, const Value& b) {
  if (a.is_null() || a.type() != b.type()) return false;
  if (op == Kind::kEqual) return Identical(a, b);
  if (op == Kind::kNotEqual) return !Identical(a, b);
  if (!Ordered(a)) return false;
  const int order = Order(a, b);
  switch (op) {
    case Kind::kLess: return order < 0;
    case Kind::kLessEqual: return order <= 0;
    case Kind::kGreater: return order > 0;
    case Kind::kGreaterEqual: return order >= 0;
    default: return false;
  }
}

bool TextCompares(Kind op, const Value& a, const Value& b) {
  if (op == Kind::kContains && a.type() == Type::kList) return Holds(a, b);
  if (a.type() != Type::kString || b.type() != Type::kString) return false;
  switch (op) {
    case Kind::kContains: return a.string().find(b.string()) != std::string_view::npos;
    case Kind::kStartsWith: return a.string().starts_with(b.string());
    case Kind::kEndsWith: return a.string().ends_with(b.string());
    case Kind::kIContains: return ContainsIgnoringCase(a.string(), b.string());
    case Kind::kIEquals: return EqualsIgnoringCase(a.string(), b.string());
    default: return false;
  }
}

bool Holds(const Value& list, const Value& x) {
  if (list.type() != Type::kList || x.is_null()) return false;
  const auto items = list.list();
  return std::any_of(items.begin(), items.end(), [&](const Value& item) { return Identical(item, x); });
}

Value Calculate(Kind op, const Value& a, const Value& b) {
  const bool subtract = op == Kind::kSubtract;
  const bool sum = op == Kind::kAdd || subtract;
  if (a.type() == Type::kNumber && b.type() == Type::kNumber) {
    switch (op) {
      case Kind::kAdd: return Finite(a.number() + b.number());
      case Kind::kSubtract: return Finite(a.number() - b.number());
      case Kind::kMultiply: return Finite(a.number() * b.number());
      case Kind::kDivide: return b.number() == 0 ? Value() : Finite(a.number() / b.number());
      default: return Value();
    }
  }
  if (a.type() == Type::kDuration && b.type() == Type::kDuration) {
    if (sum) return Spanned(Type::kDuration, a.duration(), b.duration(), subtract);
    if (op != Kind::kDivide || b.duration() == 0) return Value();
    return Value::Number(static_cast<double>(a.duration()) / static_cast<double>(b.duration()));
  }
  if (sum && a.type() == Type::kTime && b.type() == Type::kDuration) return Spanned(Type::kTime, a.time(), b.duration(), subtract);
  if (op == Kind::kAdd && a.type() == Type::kDuration && b.type() == Type::kTime) return Spanned(Type::kTime, b.time(), a.duration(), false);
  if (subtract && a.type() == Type::kTime && b.type() == Type::kTime) return Spanned(Type::kDuration, a.time(), b.time(), true);
  return Value();
}

Value CallFunction(Kind fn, const Value* args, size_t count) {
  const Value& x = args[0];
  switch (fn) {
    case Kind::kCoalesce:
      for (size_t i = 0; i < count; ++i) {
        if (!args[i].is_null()) return args[i];
      }
      return Value();
    case Kind::kNegate:
      if (x.type() == Type::kDuration) return Value::Duration(-x.duration());
      return x.type() == Type::kNumber ? Value::Number(-x.number()) : Value();
    case Kind::kAbs:
      if (x.type() == Type::kDuration) return Value::Duration(std::abs(x.duration()));
      return x.type() == Type::kNumber ? Value::Number(std::abs(x.number())) : Value();
    case Kind::kRound: return x.type() == Type::kNumber ? Value::Number(std::round(x.number())) : Value();
    case Kind::kLog1p: return x.type() == Type::kNumber && x.number() > -1 ? Finite(std::log1p(x.number())) : Value();
    case Kind::kMin: return MinOrMax(args, count, false);
    case Kind::kMax: return MinOrMax(args, count, true);
    case Kind::kClamp: {
      // If the ends are in the wrong order, the result is the lower one.
      const Value capped[2] = {x, args[2]};
      const Value least[2] = {MinOrMax(capped, 2, false), args[1]};
      return MinOrMax(least, 2, true);
    }
    case Kind::kScale: return Scale(args);
    default: return Value();
  }
}

}  // namespace attune
