#include "oracle/operators.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "base/check.h"

namespace attune::oracle {
namespace {

using Kind = Expression::Kind;

// Compiling is the most expensive part, so each pattern is compiled once.
const RE2& Compiled(const std::string& pattern) {
  static std::map<std::string, RE2> compiled;
  return compiled.try_emplace(pattern, pattern).first->second;
}

bool Matches(std::string_view text, const std::string& pattern) {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), Compiled(pattern));
}

// Unicode's simple case folding, as in RE2.
bool SameText(std::string_view text, std::string_view part, bool whole) {
  const std::string quoted = RE2::QuoteMeta(re2::StringPiece(part.data(), part.size()));
  return Matches(text, whole ? "(?i)\\A" + quoted + "\\z" : "(?i)" + quoted);
}

bool TextTest(Kind kind, std::string_view text, std::string_view part) {
  switch (kind) {
    case Kind::kContains: return text.find(part) != std::string_view::npos;
    case Kind::kStartsWith: return text.substr(0, part.size()) == part;
    case Kind::kEndsWith:
      return text.size() >= part.size() && text.substr(text.size() - part.size()) == part;
    case Kind::kIContains: return SameText(text, part, false);
    case Kind::kIEquals: return SameText(text, part, true);
    default: return false;
  }
}

bool ListHas(const Value& list, const Value& item) {
  if (list.type() != Type::kList) return false;
  return std::any_of(list.list().begin(), list.list().end(),
                     [&](const Value& value) { return Compare(Kind::kEqual, value, item); });
}

bool IsQuantity(const Value& v) {
  return v.type() == Type::kNumber || v.type() == Type::kDuration || v.type() == Type::kTime;
}

Value Unary(Kind kind, const Value& x) {
  if (x.type() == Type::kDuration) {
    if (kind == Kind::kNegate) return Value::Duration(-x.duration());
    if (kind == Kind::kAbs) return Value::Duration(std::abs(x.duration()));
  }
  if (x.type() != Type::kNumber) return Value();
  switch (kind) {
    case Kind::kNegate: return Value::Number(-x.number());
    case Kind::kAbs: return Value::Number(std::fabs(x.number()));
    case Kind::kRound: return Value::Number(std::round(x.number()));
    case Kind::kLog1p: return x.number() <= -1 ? Value() : Value::Number(std::log1p(x.number()));
    default: return Value();
  }
}

Value NumberArithmetic(Kind kind, double a, double b) {
  switch (kind) {
    case Kind::kAdd: return Value::Number(a + b);
    case Kind::kSubtract: return Value::Number(a - b);
    case Kind::kMultiply: return Value::Number(a * b);
    case Kind::kDivide: return b == 0 ? Value() : Value::Number(a / b);
    default: return Value();
  }
}

Value DurationArithmetic(Kind kind, Millis a, Millis b) {
  switch (kind) {
    case Kind::kAdd: return Value::Duration(a + b);
    case Kind::kSubtract: return Value::Duration(a - b);
    case Kind::kDivide:
      if (b == 0) return Value();
      return Value::Number(static_cast<double>(a) / static_cast<double>(b));
    default: return Value();
  }
}

Value TimeArithmetic(Kind kind, const Value& a, const Value& b) {
  const bool add = kind == Kind::kAdd;
  const bool subtract = kind == Kind::kSubtract;
  if (a.type() == Type::kTime && b.type() == Type::kDuration) {
    if (add) return Value::Time(a.time() + b.duration());
    if (subtract) return Value::Time(a.time() - b.duration());
  }
  if (a.type() == Type::kDuration && b.type() == Type::kTime && add) {
    return Value::Time(a.duration() + b.time());
  }
  if (a.type() == Type::kTime && b.type() == Type::kTime && subtract) {
    return Value::Duration(a.time() - b.time());
  }
  return Value();
}

Value MinMax(Kind kind, const std::vector<Value>& args) {
  Value best = args.front();
  for (const Value& value : args) best = Arithmetic(kind, best, value);
  return best;
}

Value Coalesce(const std::vector<Value>& args) {
  for (const Value& value : args) {
    if (!value.is_null()) return value;
  }
  return Value();
}

Value Scaled(const Value& x, const Value& lo, const Value& hi) {
  if (!IsQuantity(x) || x.type() != lo.type() || x.type() != hi.type()) return Value();
  Value above = Arithmetic(Kind::kSubtract, x, lo);
  Value width = Arithmetic(Kind::kSubtract, hi, lo);
  const Value share = Arithmetic(Kind::kDivide, above, width);
  if (share.is_null()) return Value();
  return Value::Number(std::min(1.0, std::max(0.0, share.number())));
}

}  // namespace

Value Operator(const Expression& e, const std::vector<Value>& args) {
  switch (e.kind) {
    case Kind::kEqual: case Kind::kNotEqual: case Kind::kLess: case Kind::kLessEqual:
    case Kind::kGreater: case Kind::kGreaterEqual:
      return Value::Bool(Compare(e.kind, args[0], args[1]));
    case Kind::kIn: return Value::Bool(ListHas(args[1], args[0]));
    case Kind::kBetween:
      return Value::Bool(Compare(Kind::kLessEqual, args[1], args[0]) &&
                         Compare(Kind::kLessEqual, args[0], args[2]));
    case Kind::kContains: case Kind::kStartsWith: case Kind::kEndsWith:
    case Kind::kIContains: case Kind::kIEquals:
      if (e.kind == Kind::kContains && args[0].type() == Type::kList) {
        return Value::Bool(ListHas(args[0], args[1]));
      }
      return Value::Bool(args[0].type() == Type::kString && args[1].type() == Type::kString &&
                         TextTest(e.kind, args[0].string(), args[1].string()));
    case Kind::kMatches:
      return Value::Bool(args[0].type() == Type::kString && Matches(args[0].string(), e.text));
    case Kind::kExists: return Value::Bool(!args[0].is_null());
    case Kind::kNegate: case Kind::kAbs: case Kind::kRound: case Kind::kLog1p:
      return Unary(e.kind, args[0]);
    case Kind::kAdd: case Kind::kSubtract: case Kind::kMultiply: case Kind::kDivide:
      return Arithmetic(e.kind, args[0], args[1]);
    case Kind::kMin: case Kind::kMax: return MinMax(e.kind, args);
    case Kind::kCoalesce: return Coalesce(args);
    case Kind::kClamp:
      return Arithmetic(Kind::kMax, args[1], Arithmetic(Kind::kMin, args[0], args[2]));
    case Kind::kScale: return Scaled(args[0], args[1], args[2]);
    default: break;
  }
  ATTUNE_CHECK(false, "every kind of expression has a meaning");
  return Value();
}

Value Arithmetic(Kind kind, const Value& a, const Value& b) {
  if (kind == Kind::kMin || kind == Kind::kMax) {
    const bool ordered = IsQuantity(a) || a.type() == Type::kString;
    if (a.type() != b.type() || !ordered) return Value();
    return (Order(a, b) < 0) == (kind == Kind::kMin) ? a : b;
  }
  if (a.type() == Type::kNumber && b.type() == Type::kNumber) {
    return NumberArithmetic(kind, a.number(), b.number());
  }
  if (a.type() == Type::kDuration && b.type() == Type::kDuration) {
    return DurationArithmetic(kind, a.duration(), b.duration());
  }
  return TimeArithmetic(kind, a, b);
}

bool Compare(Kind kind, const Value& a, const Value& b) {
  if (a.is_null() || a.type() != b.type()) return false;
  if (kind == Kind::kEqual) return Identical(a, b);
  if (kind == Kind::kNotEqual) return !Identical(a, b);
  if (a.type() == Type::kList) return false;
  const int order = Order(a, b);
  switch (kind) {
    case Kind::kLess: return order < 0;
    case Kind::kLessEqual: return order <= 0;
    case Kind::kGreater: return order > 0;
    case Kind::kGreaterEqual: return order >= 0;
    default: return false;
  }
}

}  // namespace attune::oracle
