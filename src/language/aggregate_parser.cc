// How much: the aggregates over events.
#include "language/expression_parser.h"

namespace attune {

bool ExpressionParser::ReadEvents(Expression* e) {
  if (!ReadSelector(&e->selector)) return false;
  if (Is(".")) {
    if (e->kind != Kind::kCount) return Expected("a window or \")\""), false;
    if (!ReadPropertyOf(e)) return false;  // count(S.p): the events that have p
  }
  if (!ReadWindow(&e->window)) return false;
  e->dynamic = false;
  e->type = e->kind == Kind::kFirstTime || e->kind == Kind::kLastTime ? Type::kTime
            : e->kind == Kind::kSince || e->kind == Kind::kAge        ? Type::kDuration
                                                                      : Type::kNumber;
  return true;
}

bool ExpressionParser::ReadPropertyOf(Expression* e) {
  const size_t offset = Next().begin;
  if (!ReadKeys(&e->path)) return false;
  Expression property;
  FinishPath(e->selector.names, offset, &e->path, &property);
  e->type = property.type;
  e->dynamic = property.dynamic;
  return true;
}

bool ExpressionParser::ReadProperty(const std::string& name, Expression* e) {
  if (!ReadSelector(&e->selector)) return false;
  if (!Is(".")) return Expected("\".\" and a property, as in " + name + "(purchase.price[7d])"), false;
  const size_t offset = Next().begin;
  if (!ReadPropertyOf(e) || !ReadWindow(&e->window)) return false;
  const Type of = e->dynamic ? Type::kNull : e->type;
  const bool numeric = e->kind == Kind::kSum || e->kind == Kind::kAvg || e->kind == Kind::kQuantile;
  if (numeric && of != Type::kNull && of != Type::kNumber) {
    Mistaken(offset, "expected a number for " + name + "(…), found a property of type " + std::string(TypeName(of)));
  }
  if ((e->kind == Kind::kAggregateMin || e->kind == Kind::kAggregateMax) && of == Type::kBool) {
    Mistaken(offset, "expected something that has an order for " + name + "(…), found a property of type boolean");
  }
  if (numeric || e->kind == Kind::kDistinct) e->type = Type::kNumber, e->dynamic = false;
  if (e->kind == Kind::kListOf) e->type = Type::kList, e->dynamic = false;
  return true;
}

// min(S.p[W]) over events, or min(a, b) of values: the first when the argument is one selector with a property.
bool ExpressionParser::MinOrMax(const std::string& name, Expression* e) {
  const bool is_trait = IsWord("trait") && Next().text == ".";
  if (!in_filter_ && !is_trait && LooksLikeProperty()) return ReadProperty(name, e);
  e->kind = name == "min" ? Kind::kMin : Kind::kMax;
  return ReadValues(2, kManyValues, name, e);
}

bool ExpressionParser::LooksLikeProperty() const {
  size_t i = 0;
  if (Now().kind == Token::Kind::kIdentifier) {
    ++i;
    if (IsSymbol(i, "(")) return false;  // a call
  } else if (Is("(") && !SkipBrackets("(", ")", &i)) {
    return false;
  }
  if (IsSymbol(i, "{") && !SkipBrackets("{", "}", &i)) return false;
  return IsSymbol(i, ".");
}

bool ExpressionParser::ReadSessions(Expression* e) {
  if (!Is("[")) return Expected("a window, such as [30d]"), false;
  return ReadWindow(&e->window);
}

bool ExpressionParser::ReadSessionWindow(Expression* e) {
  e->type = Type::kDuration;
  const size_t offset = Now().begin;
  if (!Is("[")) return Expected("[session] or [last_session]"), false;
  if (!ReadWindow(&e->window)) return false;
  if (e->window.kind != Window::Kind::kSession && e->window.kind != Window::Kind::kLastSession) {
    Mistaken(offset, "expected [session] or [last_session] for duration(…), found " + ToText(e->window));
  }
  return true;
}

bool ExpressionParser::ReadPeriods(Expression* e) {
  if (!ReadSelector(&e->selector) || !Need(",")) return false;
  if (Now().kind != Token::Kind::kDuration || Now().millis <= 0) return Expected("the length of a stretch, such as 7d"), false;
  e->window.kind = Window::Kind::kSliding;
  e->window.length = TakeToken().millis;
  return Need(",") && ReadNumber("how many stretches, 1 to 1000", 1, 1000, true, e);
}

}  // namespace attune
