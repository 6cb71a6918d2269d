// Operators and the operand types that they require.
#include <utility>

#include "event/pattern.h"
#include "language/expression_parser.h"

namespace attune {
namespace {

bool Fits(const Expression& e, Type type) { return e.dynamic || e.type == type || e.type == Type::kNull; }

std::string Kindly(const Expression& e) {
  return e.type == Type::kNull ? "null" : "a " + std::string(TypeName(e.type));
}

}  // namespace

void ExpressionParser::RequireType(const Expression& e, Type type, const std::string& where) {
  if (Fits(e, type)) return;
  Mistaken(static_cast<size_t>(e.location.column),
           "expected a " + std::string(TypeName(type)) + " " + where + ", found " + ToText(e) + ", " + Kindly(e));
}

void ExpressionParser::RequireAlike(const Expression& a, const Expression& b) {
  if (a.dynamic || b.dynamic || a.type == b.type || a.type == Type::kNull || b.type == Type::kNull) return;
  Mistaken(static_cast<size_t>(b.location.column), "expected a " + std::string(TypeName(a.type)) + " to compare with " +
                                                       ToText(a) + ", found " + ToText(b) + ", " + Kindly(b));
}

void ExpressionParser::RequireOrdered(const Expression& e) {
  if (e.dynamic || (e.type != Type::kBool && e.type != Type::kList)) return;
  Mistaken(static_cast<size_t>(e.location.column),
           "expected a value that can be ordered, found " + ToText(e) + ", " + Kindly(e));
}

ExpressionPtr ExpressionParser::Chain(std::string_view word, Kind kind, ExpressionPtr (ExpressionParser::*operand)()) {
  if (!Enter(Now().begin)) return nullptr;
  ExpressionPtr left = (this->*operand)();
  while (left && IsWord(word)) {
    const size_t offset = Now().begin;
    TakeToken();
    ExpressionPtr right = (this->*operand)();
    if (!right) return nullptr;
    const std::string where = "beside \"" + std::string(word) + "\"";
    RequireType(*left, Type::kBool, where);
    RequireType(*right, Type::kBool, where);
    if (left->kind == kind) {
      left->args.push_back(std::move(right));
    } else {
      left = Make(kind, offset, Type::kBool, std::move(left), std::move(right));
    }
  }
  Leave();
  return left;
}

ExpressionPtr ExpressionParser::Not() {
  if (!IsWord("not")) return Comparison();
  const size_t offset = Now().begin;
  TakeToken();
  if (!Enter(offset)) return nullptr;
  ExpressionPtr operand = Not();
  Leave();
  if (!operand) return nullptr;
  RequireType(*operand, Type::kBool, "after \"not\"");
  ExpressionPtr e = Make(Kind::kNot, offset, Type::kBool);
  e->args.push_back(std::move(operand));
  return e;
}

ExpressionPtr ExpressionParser::Comparison() {
  ExpressionPtr left = Sum();
  if (!left) return nullptr;
  static constexpr std::pair<std::string_view, Kind> kSymbols[] = {
      {"=", Kind::kEqual},      {"!=", Kind::kNotEqual}, {"<", Kind::kLess},
      {"<=", Kind::kLessEqual}, {">", Kind::kGreater},   {">=", Kind::kGreaterEqual}};
  const size_t offset = Now().begin;
  if (Is("==")) return Fail(offset, "expected \"=\", found \"==\"");
  for (const auto& [symbol, kind] : kSymbols) {
    if (Take(symbol)) return Compared(kind, offset, std::move(left));
  }
  if (Now().kind != Token::Kind::kIdentifier) return left;
  static constexpr std::pair<std::string_view, Kind> kTextual[] = {{"contains", Kind::kContains},
                                                                   {"starts_with", Kind::kStartsWith},
                                                                   {"ends_with", Kind::kEndsWith},
                                                                   {"icontains", Kind::kIContains},
                                                                   {"iequals", Kind::kIEquals}};
  for (const auto& [word, kind] : kTextual) {
    if (TakeWord(word)) return Textual(kind, word, offset, std::move(left));
  }
  if (TakeWord("in")) return In(offset, std::move(left));
  if (TakeWord("between")) return Between(offset, std::move(left));
  if (TakeWord("matches")) return Matches(offset, std::move(left));
  if (TakeWord("exists")) {
    ExpressionPtr e = Make(Kind::kExists, offset, Type::kBool);
    e->args.push_back(std::move(left));
    return e;
  }
  return left;
}

ExpressionPtr ExpressionParser::Compared(Kind kind, size_t offset, ExpressionPtr left) {
  ExpressionPtr right = Sum();
  if (!right) return nullptr;
  RequireAlike(*left, *right);
  if (kind != Kind::kEqual && kind != Kind::kNotEqual) {
    RequireOrdered(*left);
    RequireOrdered(*right);
  }
  for (const std::string_view symbol : {"=", "!=", "<", "<=", ">", ">="}) {
    if (Is(symbol)) return Fail(Now().begin, "comparisons do not chain; join two with \"and\", or use \"between\"");
  }
  return Make(kind, offset, Type::kBool, std::move(left), std::move(right));
}

ExpressionPtr ExpressionParser::Textual(Kind kind, std::string_view word, size_t offset, ExpressionPtr left) {
  ExpressionPtr right = Sum();
  if (!right) return nullptr;
  const bool in_list = kind == Kind::kContains && (left->type == Type::kList || left->dynamic);
  if (!in_list) {
    RequireType(*left, Type::kString, "before \"" + std::string(word) + "\"");
    RequireType(*right, Type::kString, "after \"" + std::string(word) + "\"");
  }
  return Make(kind, offset, Type::kBool, std::move(left), std::move(right));
}

ExpressionPtr ExpressionParser::In(size_t offset, ExpressionPtr left) {
  ExpressionPtr right;
  if (Is("[")) {
    right = ListLiteral();
    if (!right) return nullptr;
    for (const ExpressionPtr& item : right->args) RequireAlike(*left, *item);
  } else {
    right = Sum();
    if (!right) return nullptr;
    RequireType(*right, Type::kList, "after \"in\"");
  }
  return Make(Kind::kIn, offset, Type::kBool, std::move(left), std::move(right));
}

ExpressionPtr ExpressionParser::Between(size_t offset, ExpressionPtr left) {
  ExpressionPtr low = Sum();
  if (!low) return nullptr;
  if (!TakeWord("and")) return Expected("\"and\" and the upper end");
  ExpressionPtr high = Sum();
  if (!high) return nullptr;
  RequireOrdered(*left);
  RequireAlike(*left, *low);
  RequireAlike(*left, *high);
  ExpressionPtr e = Make(Kind::kBetween, offset, Type::kBool, std::move(left), std::move(low));
  e->args.push_back(std::move(high));
  return e;
}

ExpressionPtr ExpressionParser::Matches(size_t offset, ExpressionPtr left) {
  if (Now().kind != Token::Kind::kString) return Expected("a pattern in quotation marks");
  RequireType(*left, Type::kString, "before \"matches\"");
  ExpressionPtr e = Make(Kind::kMatches, offset, Type::kBool);
  e->text = Now().text;
  const auto pattern = Pattern::Compile(e->text);
  if (!pattern.ok()) Mistaken(Now().begin, "the pattern cannot be used: " + pattern.error().message);
  TakeToken();
  e->args.push_back(std::move(left));
  return e;
}

ExpressionPtr ExpressionParser::Sum() {
  ExpressionPtr left = Product();
  while (left && (Is("+") || Is("-"))) {
    const size_t offset = Now().begin;
    const Kind kind = Is("+") ? Kind::kAdd : Kind::kSubtract;
    TakeToken();
    ExpressionPtr right = Product();
    if (!right) return nullptr;
    left = Arithmetic(kind, offset, std::move(left), std::move(right));
  }
  return left;
}

ExpressionPtr ExpressionParser::Product() {
  ExpressionPtr left = Unary();
  while (left && (Is("*") || Is("/"))) {
    const size_t offset = Now().begin;
    const Kind kind = Is("*") ? Kind::kMultiply : Kind::kDivide;
    TakeToken();
    ExpressionPtr right = Unary();
    if (!right) return nullptr;
    left = Arithmetic(kind, offset, std::move(left), std::move(right));
  }
  return left;
}

ExpressionPtr ExpressionParser::Arithmetic(Kind kind, size_t offset, ExpressionPtr a, ExpressionPtr b) {
  const StaticType type = ArithmeticType(kind, *a, *b, offset);
  ExpressionPtr e = Make(kind, offset, type.type, std::move(a), std::move(b));
  e->dynamic = type.dynamic;
  return e;
}

StaticType ExpressionParser::ArithmeticType(Kind kind, const Expression& a, const Expression& b, size_t offset) {
  if (a.dynamic || b.dynamic || a.type == Type::kNull || b.type == Type::kNull) return {Type::kNull, true};
  const bool numbers = a.type == Type::kNumber && b.type == Type::kNumber;
  const bool durations = a.type == Type::kDuration && b.type == Type::kDuration;
  const bool sums = kind == Kind::kAdd || kind == Kind::kSubtract;
  if (numbers) return {Type::kNumber};
  if (durations && sums) return {Type::kDuration};
  if (durations && kind == Kind::kDivide) return {Type::kNumber};
  if (sums && a.type == Type::kTime && b.type == Type::kDuration) return {Type::kTime};
  if (kind == Kind::kAdd && a.type == Type::kDuration && b.type == Type::kTime) return {Type::kTime};
  if (kind == Kind::kSubtract && a.type == Type::kTime && b.type == Type::kTime) return {Type::kDuration};
  static constexpr const char* kNames[] = {"added", "subtracted", "multiplied", "divided"};
  Mistaken(offset, "a " + std::string(TypeName(a.type)) + " and a " + std::string(TypeName(b.type)) +
                       " cannot be " + kNames[static_cast<int>(kind) - static_cast<int>(Kind::kAdd)] +
                       "; expected two numbers" + (sums ? ", two durations, or a time and a duration" : kind == Kind::kDivide ? " or two durations" : ""));
  return {Type::kNull, true};
}

ExpressionPtr ExpressionParser::Unary() {
  if (!Is("-")) return Primary();
  const size_t offset = Now().begin;
  TakeToken();
  if (!Enter(offset)) return nullptr;
  ExpressionPtr operand = Unary();
  Leave();
  if (!operand) return nullptr;
  if (operand->kind == Kind::kLiteral && operand->type == Type::kNumber) return Number(-operand->literal.number(), offset);
  if (operand->kind == Kind::kLiteral && operand->type == Type::kDuration) return Duration(-operand->literal.duration(), offset);
  if (!Fits(*operand, Type::kDuration)) RequireType(*operand, Type::kNumber, "after \"-\"");
  ExpressionPtr e = Make(Kind::kNegate, offset, operand->type, operand->dynamic);
  e->args.push_back(std::move(operand));
  return e;
}

}  // namespace attune
