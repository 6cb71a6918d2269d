// Primary expressions: literals, lists, metrics, traits, and expressions in parentheses.
#include <algorithm>
#include <utility>

#include "event/name.h"
#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

ExpressionPtr ExpressionParser::Primary() {
  const size_t offset = Now().begin;
  switch (Now().kind) {
    case Token::Kind::kNumber: return Number(TakeToken().number, offset);
    case Token::Kind::kDuration: return Duration(TakeToken().millis, offset);
    case Token::Kind::kInstant: {
      ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kTime);
      e->literal = Value::Time(ReadInstant());
      return e;
    }
    case Token::Kind::kString: {
      ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kString);
      e->text = TakeToken().text;
      e->literal = Value::String(e->text);
      return e;
    }
    case Token::Kind::kIdentifier: return Word();
    default: break;
  }
  if (Is("(")) return Parenthesised();
  if (Is("[") && in_filter_) return ListLiteral();
  return Expected("a value");
}

Millis ExpressionParser::ReadInstant() {
  const Token& token = TakeToken();
  return token.local ? zone_.FromLocal(token.millis) : token.millis;
}

ExpressionPtr ExpressionParser::Parenthesised() {
  if (!in_filter_) {
    if (ExpressionPtr absence = TryAbsence(); absence || stopped()) return absence;
  }
  TakeToken();
  ExpressionPtr e = Or();
  if (!e || !Need(")")) return nullptr;
  // (a and b) and c stays a tree of its own, as written; its value is the same as that of a flat list.
  return e;
}

ExpressionPtr ExpressionParser::Word() {
  const Token& word = Now();
  const size_t offset = word.begin;
  if (word.text == "true" || word.text == "false") {
    ExpressionPtr e = Make(Kind::kLiteral, offset, Type::kBool);
    e->literal = Value::Bool(word.text == "true");
    TakeToken();
    return e;
  }
  if (word.text == "null") {
    TakeToken();
    return Make(Kind::kLiteral, offset, Type::kNull);
  }
  const bool called = Next().kind == Token::Kind::kSymbol && Next().text == "(";
  if (called) return Call();
  if (in_filter_) return Property();
  if (word.text == "trait" && Next().text == ".") return Trait();
  if (ExpressionPtr absence = TryAbsence(); absence || stopped()) return absence;
  return MetricName();
}

ExpressionPtr ExpressionParser::MetricName() {
  const Token& word = Now();
  const auto& metrics = names_.metrics;
  if (std::find(metrics.begin(), metrics.end(), word.text) == metrics.end()) {
    std::string message = "there is no metric \"" + word.text + "\"" + DidYouMean(word.text, metrics);
    if (std::find(names_.segments.begin(), names_.segments.end(), word.text) != names_.segments.end()) {
      message = "\"" + word.text + "\" is a segment; expected in_segment(" + word.text + ")";
    } else if (Known(NormaliseEventName(word.text))) {
      message = "\"" + word.text + "\" is an event; expected a value, such as count(" + word.text + "[7d])";
    }
    Mistaken(word.begin, message);
    TakeToken();
    return Make(Kind::kLiteral, word.begin, Type::kNull, true);
  }
  ExpressionPtr e = Make(Kind::kMetric, word.begin, Type::kNull, true);
  e->text = word.text;
  if (const auto type = names_.metric_type(word.text)) {
    e->type = type->type;
    e->dynamic = type->dynamic;
    if (type->keyed && !keyed_.empty()) {
      Mistaken(word.begin, "the metric \"" + word.text + "\" holds some(…) or top(…), which cannot be used within " + keyed_ + "(…)");
    }
  } else {
    set_failed();  // reported where the metric is defined
  }
  TakeToken();
  return e;
}

ExpressionPtr ExpressionParser::Trait() {
  ExpressionPtr e = Make(Kind::kTrait, Now().begin, Type::kNull, true);
  TakeToken();
  while (Take(".")) {
    if (Now().kind != Token::Kind::kIdentifier && Now().kind != Token::Kind::kString) return Expected("the trait's name");
    e->text += (e->text.empty() ? "" : ".") + TakeToken().text;
  }
  return e;
}

ExpressionPtr ExpressionParser::ListLiteral() {
  ExpressionPtr list = Make(Kind::kList, Now().begin, Type::kList);
  TakeToken();
  while (!Is("]")) {
    ExpressionPtr item = Unary();
    if (!item) return nullptr;
    if (item->kind != Kind::kLiteral) {
      return Fail(static_cast<size_t>(item->location.column), "expected a literal in the list, found " + ToText(*item));
    }
    list->args.push_back(std::move(item));
    if (!Take(",")) break;
  }
  if (!Need("]")) return nullptr;
  return list;
}

}  // namespace attune
