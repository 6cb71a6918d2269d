#include "language/parser.h"

#include <utility>

#include "language/expression_parser.h"

namespace attune {
namespace {

constexpr int kMaxDepth = 200;  // a deeper expression is refused, because parsing and evaluation recurse

}  // namespace

ExpressionPtr ExpressionParser::Whole() {
  ExpressionPtr e = Or();
  if (e && !AtEnd()) e = Expected("an operator or the end of the expression");
  return failed() ? nullptr : std::move(e);
}

std::optional<Selector> ExpressionParser::WholeSelector() {
  Selector selector;
  if (!ReadSelector(&selector)) return std::nullopt;
  if (!AtEnd()) Expected("the end of the selector");
  if (failed()) return std::nullopt;
  return selector;
}

ExpressionPtr ExpressionParser::Make(Kind kind, size_t offset, Type type, bool dynamic) {
  auto e = std::make_unique<Expression>();
  e->kind = kind;
  e->location.column = static_cast<int>(offset);
  e->type = type;
  e->dynamic = dynamic;
  return e;
}

ExpressionPtr ExpressionParser::Make(Kind kind, size_t offset, Type type, ExpressionPtr a, ExpressionPtr b) {
  ExpressionPtr e = Make(kind, offset, type);
  e->args.push_back(std::move(a));
  e->args.push_back(std::move(b));
  return e;
}

ExpressionPtr ExpressionParser::Number(double n, size_t offset) {
  ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kNumber);
  e->literal = Value::Number(n);
  return e;
}

ExpressionPtr ExpressionParser::Duration(Millis d, size_t offset) {
  ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kDuration);
  e->literal = Value::Duration(d);
  return e;
}

bool ExpressionParser::Enter(size_t offset) {
  if (++depth_ <= kMaxDepth) return true;
  Fail(offset, "the expression is nested too deeply");
  return false;
}

ExpressionPtr Parse(std::string_view text, const Names& names, const Zone& zone, std::vector<Mistake>* mistakes) {
  return ExpressionParser(text, names, zone, mistakes).Whole();
}

std::optional<Selector> ParseSelector(std::string_view text, const Names& names, const Zone& zone,
                                      std::vector<Mistake>* mistakes) {
  return ExpressionParser(text, names, zone, mistakes).WholeSelector();
}

}  // namespace attune
