#include <fmt/format.h>

#include "language/expression.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

std::string Exact(Millis duration) {  // one number and one unit, the largest that gives it exactly
  constexpr struct { Millis size; const char* unit; } kUnits[] = {
      {kDay, "d"}, {kHour, "h"}, {kMinute, "m"}, {kSecond, "s"}, {1, "ms"}};
  for (const auto& [size, unit] : kUnits) {
    if (duration % size == 0) return fmt::format("{}{}", duration / size, unit);
  }
  return "";
}

std::string Instant(Millis t) {
  std::string text = FormatRfc3339(t);
  return text;
}

std::string Literal(const Value& value) {
  if (value.type() == Type::kTime) return Instant(value.time());
  if (value.type() == Type::kDuration) return Exact(value.duration());
  return ToJson(value);
}

const char* Symbol(Kind kind) {
  switch (kind) {
    case Kind::kAnd: return "and";
    case Kind::kOr: return "or";
    case Kind::kEqual: return "=";
    case Kind::kNotEqual: return "!=";
    case Kind::kLess: return "<";
    case Kind::kLessEqual: return "<=";
    case Kind::kGreater: return ">";
    case Kind::kGreaterEqual: return ">=";
    case Kind::kIn: return "in";
    case Kind::kContains: return "contains";
    case Kind::kStartsWith: return "starts_with";
    case Kind::kEndsWith: return "ends_with";
    case Kind::kIContains: return "icontains";
    case Kind::kIEquals: return "iequals";
    case Kind::kAdd: return "+";
    case Kind::kSubtract: return "-";
    case Kind::kMultiply: return "*";
    case Kind::kDivide: return "/";
    default: return "";
  }
}

const char* FunctionName(Kind kind) {
  switch (kind) {
    case Kind::kCoalesce: return "coalesce";
    case Kind::kAbs: return "abs";
    case Kind::kMin: return "min";
    case Kind::kMax: return "max";
    case Kind::kRound: return "round";
    case Kind::kLog1p: return "log1p";
    case Kind::kClamp: return "clamp";
    case Kind::kScale: return "scale";
    case Kind::kHour: return "hour";
    case Kind::kWeekday: return "weekday";
    case Kind::kDate: return "date";
    case Kind::kSequence: return "sequence";
    case Kind::kSequenceDepth: return "depth";
    case Kind::kSequenceMatches: return "matches";
    case Kind::kSome: return "some";
    case Kind::kTop: return "top";
    case Kind::kInSegment:
    case Kind::kInSegmentFor: return "in_segment";
    case Kind::kEntered: return "entered";
    case Kind::kLeft: return "left";
    case Kind::kConsent: return "consent";
    case Kind::kScore: return "score";
    case Kind::kCluster: return "cluster";
    default: return "";
  }
}

// A key as the language writes it: a word as it is, anything else in quotation marks.
std::string Key(const std::string& key) {
  bool word = !key.empty() && !(key[0] >= '0' && key[0] <= '9');
  for (const char c : key) {
    word = word && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
                    c == '@' || static_cast<unsigned char>(c) >= 0x80);
  }
  return word ? key : ToJson(Value::String(key));
}

// An event's name so that it parses as the same name. A name that would parse as a number or as `any` gets an underscore in
// front, which normalising removes.
std::string EventName(const std::string& name) {
  return (name[0] >= '0' && name[0] <= '9') || name == "any" ? "_" + name : name;
}

std::string Path(const PropertyPath& path) {
  std::string text = path.in_context ? "context" : "";
  for (const std::string& key : path.keys) text += (text.empty() ? "" : ".") + Key(key);
  return text;
}

std::string Joined(const std::vector<ExpressionPtr>& args, std::string_view between) {
  std::string text;
  for (const ExpressionPtr& arg : args) {
    if (&arg != &args.front()) text += between;
    text += ToText(*arg);
  }
  return text;
}

bool IsAtom(const Expression& e) {
  return *Symbol(e.kind) == '\0' && e.kind != Kind::kNot && e.kind != Kind::kBetween && e.kind != Kind::kMatches &&
         e.kind != Kind::kExists;
}

// An operand, in parentheses unless it is atomic.
std::string Operand(const Expression& e) { return IsAtom(e) ? ToText(e) : "(" + ToText(e) + ")"; }

std::string Operands(const Expression& e) {
  std::string text;
  // Comparisons under and/or need no parentheses.
  const bool logic = e.kind == Kind::kAnd || e.kind == Kind::kOr;
  for (const ExpressionPtr& arg : e.args) {
    if (!text.empty()) text += fmt::format(" {} ", Symbol(e.kind));
    const bool bare = logic && arg->kind != Kind::kAnd && arg->kind != Kind::kOr && arg->kind != Kind::kBetween;
    text += bare ? ToText(*arg) : Operand(*arg);
  }
  return text;
}

// `add_to_cart.price[7d]`
std::string Events(const Expression& e) {
  std::string text = ToText(e.selector);
  if (!e.path.keys.empty()) text += "." + Path(e.path);
  return text + ToText(e.window);
}

std::string AggregateArguments(const Expression& e) {
  using Arguments = Aggregate::Arguments;
  switch (e.aggregate->arguments) {
    case Arguments::kShareAndProperty: return Literal(Value::Number(e.number)) + ", " + Events(e);
    case Arguments::kPropertyAndLimit: return Events(e) + ", " + Literal(Value::Number(e.number));
    case Arguments::kWindow:
    case Arguments::kSession: return ToText(e.window);
    case Arguments::kStretches:
      return fmt::format("{}, {}, {}", ToText(e.selector), Exact(e.window.length), static_cast<int>(e.number));
    default: return Events(e);
  }
}

// `a -> not b -> c within 2h by p`
std::string Steps(const Expression& e) {
  std::string text;
  for (const SequenceStep& step : e.steps) {
    if (!text.empty()) text += step.immediate ? " => " : " -> ";
    text += ToText(step);
  }
  if (!e.by.keys.empty()) text += " by " + Path(e.by);
  return text;
}

// `a or b{v > 1}`: a selector's names or alternatives as written between parentheses.
std::string Alternatives(const Selector& selector) {
  std::string text;
  const auto add = [&](const std::string& one) { text += (text.empty() ? "" : " or ") + one; };
  for (const Selector& alternative : selector.alternatives) {
    add(alternative.filter ? ToText(alternative) : Alternatives(alternative));
  }
  if (!selector.alternatives.empty()) return text;
  for (const std::string& name : selector.names) add(EventName(name));
  return text;
}

}  // namespace

std::string ToText(const Selector& selector) {
  std::string text = "any";
  if (!selector.names.empty() || !selector.alternatives.empty()) text = Alternatives(selector);
  if (selector.names.size() > 1 || !selector.alternatives.empty()) text = "(" + text + ")";
  if (selector.filter) text += "{" + ToText(*selector.filter) + "}";
  return text;
}

std::string ToText(const SequenceStep& step) {
  std::string text = (step.negated ? "not " : "") + ToText(step.selector);
  if (step.within != kNever) text += " within " + Exact(step.within);
  return text;
}

std::string ToText(const Window& window) {
  using W = Window::Kind;
  switch (window.kind) {
    case W::kEver: return "[ever]";
    case W::kSliding:
      return window.offset ? "[" + Exact(window.length) + " offset " + Exact(window.offset) + "]" : "[" + Exact(window.length) + "]";
    case W::kThisHour: return "[this_hour]";
    case W::kToday: return "[today]";
    case W::kThisWeek: return "[this_week]";
    case W::kThisMonth: return "[this_month]";
    case W::kSession: return "[session]";
    case W::kLastSession: return "[last_session]";
    case W::kRange: return "[" + Instant(window.from) + " .. " + Instant(window.to) + "]";
    case W::kAfter: return "[" + Exact(window.length) + " after " + ToText(*window.anchor) + "]";
    case W::kSince: return "[since " + ToText(*window.anchor) + "]";
  }
  return "";
}

std::string ToText(const Expression& e) {
  switch (e.kind) {
    case Kind::kLiteral: return Literal(e.literal);
    case Kind::kList: return "[" + Joined(e.args, ", ") + "]";
    case Kind::kProperty: return Path(e.path);
    case Kind::kTrait: return "trait." + e.text;
    case Kind::kMetric: return e.text;
    case Kind::kNot: return "not " + Operand(*e.args[0]);
    case Kind::kNegate: return "-" + Operand(*e.args[0]);
    case Kind::kBetween:
      return Operand(*e.args[0]) + " between " + Operand(*e.args[1]) + " and " + Operand(*e.args[2]);
    case Kind::kMatches: return Operand(*e.args[0]) + " matches " + ToJson(Value::String(e.text));
    case Kind::kExists: return Operand(*e.args[0]) + " exists";
    case Kind::kAggregate: return fmt::format("{}({})", e.aggregate->name, AggregateArguments(e));
    case Kind::kSequence:
    case Kind::kSequenceDepth:
    case Kind::kSequenceMatches: return fmt::format("{}({}){}", FunctionName(e.kind), Steps(e), ToText(e.window));
    case Kind::kSome: return "some(" + Path(e.path) + ": " + ToText(*e.args[0]) + ")";
    case Kind::kTop: return fmt::format("top({}: {}, {})", Path(e.path), ToText(*e.args[0]), static_cast<int>(e.number));
    case Kind::kInSegment:
    case Kind::kConsent:
    case Kind::kScore:
    case Kind::kCluster: return fmt::format("{}({})", FunctionName(e.kind), Key(e.text));
    case Kind::kInSegmentFor: return "in_segment(" + Key(e.text) + ") for " + Exact(e.window.length);
    case Kind::kEntered:
    case Kind::kLeft: return fmt::format("{}({}{})", FunctionName(e.kind), Key(e.text), ToText(e.window));
    case Kind::kBucket: return "bucket(" + ToJson(Value::String(e.text)) + ")";
    case Kind::kHour:
    case Kind::kWeekday:
    case Kind::kDate: return std::string(FunctionName(e.kind)) + "()";
    default: break;
  }
  if (*Symbol(e.kind) != '\0') return Operands(e);
  return std::string(FunctionName(e.kind)) + "(" + Joined(e.args, ", ") + ")";
}

}  // namespace attune
