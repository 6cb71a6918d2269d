// Aggregates: their arguments, and the type of their result.
#include "language/expression_parser.h"

namespace attune {
namespace {

// The type of the result. Requires that it is not the property's type.
Type ResultType(const Aggregate& aggregate) {
  switch (aggregate.gives) {
    case Aggregate::Gives::kTime: return Type::kTime;
    case Aggregate::Gives::kDuration: return Type::kDuration;
    case Aggregate::Gives::kList: return Type::kList;
    default: return Type::kNumber;
  }
}

}  // namespace

ExpressionPtr ExpressionParser::MakeAggregate(std::string_view name, size_t offset) {
  const Aggregate* aggregate = FindAggregate(name);
  ExpressionPtr e = Make(Kind::kAggregate, offset, ResultType(*aggregate));
  e->aggregate = aggregate;
  return e;
}

bool ExpressionParser::ReadAggregate(Expression* e) {
  using Arguments = Aggregate::Arguments;
  const Aggregate& aggregate = *e->aggregate;
  if (aggregate.gives != Aggregate::Gives::kPropertyType) e->type = ResultType(aggregate);
  switch (aggregate.arguments) {
    case Arguments::kEvents: return ReadEvents(false, e);
    case Arguments::kEventsOrProperty: return ReadEvents(true, e);
    case Arguments::kProperty: return ReadProperty(e);
    case Arguments::kShareAndProperty:
      return ReadNumber("a share between 0 and 1", 0, 1, false, e) && Need(",") && ReadProperty(e);
    case Arguments::kPropertyAndLimit:
      return ReadProperty(e) && Need(",") && ReadNumber("how many values to list", 1, 1000, true, e);
    case Arguments::kWindow: return ReadAnyWindow(e);
    case Arguments::kSession: return ReadSessionWindow(e);
    case Arguments::kStretches: return ReadStretches(e);
  }
  return false;
}

// min(S.p[W]) over events, or min(a, b) of values: the former if the argument is one selector with a property.
bool ExpressionParser::ReadAggregateOrValues(const std::string& name, Expression* e) {
  const bool is_trait = IsWord("trait") && Next().text == ".";
  if (in_filter_ || is_trait || !LooksLikeProperty()) return ReadValues(2, kManyValues, name, e);
  e->kind = Kind::kAggregate;
  e->aggregate = FindAggregate(name);
  return ReadAggregate(e);
}

// S[W]; with `or_property` also S.p[W]: the events that have p.
bool ExpressionParser::ReadEvents(bool or_property, Expression* e) {
  if (!ReadSelector(&e->selector)) return false;
  if (Is(".")) {
    if (!or_property) return Expected("a window or \")\""), false;
    if (!ReadPropertyOf(e)) return false;
    e->type = ResultType(*e->aggregate);
    e->dynamic = false;
  }
  return ReadWindow(&e->window);
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

bool ExpressionParser::ReadProperty(Expression* e) {
  const Aggregate& aggregate = *e->aggregate;
  const std::string name(aggregate.name);
  if (!ReadSelector(&e->selector)) return false;
  if (!Is(".")) return Expected("\".\" and a property, as in " + name + "(purchase.price[7d])"), false;
  const size_t offset = Next().begin;
  if (!ReadPropertyOf(e) || !ReadWindow(&e->window)) return false;
  const Type of = e->dynamic ? Type::kNull : e->type;
  if (aggregate.takes == Aggregate::Takes::kNumbers && of != Type::kNull && of != Type::kNumber) {
    Mistaken(offset, "expected a number for " + name + "(…), found a property of type " + std::string(TypeName(of)));
  }
  if (aggregate.takes == Aggregate::Takes::kOrdered && of == Type::kBool) {
    Mistaken(offset, "expected a value that can be ordered for " + name + "(…), found a property of type boolean");
  }
  if (aggregate.gives != Aggregate::Gives::kPropertyType) e->type = ResultType(aggregate), e->dynamic = false;
  return true;
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

bool ExpressionParser::ReadAnyWindow(Expression* e) {
  if (!Is("[")) return Expected("a window, such as [30d]"), false;
  return ReadWindow(&e->window);
}

bool ExpressionParser::ReadSessionWindow(Expression* e) {
  const size_t offset = Now().begin;
  if (!Is("[")) return Expected("[session] or [last_session]"), false;
  if (!ReadWindow(&e->window)) return false;
  if (e->window.kind != Window::Kind::kSession && e->window.kind != Window::Kind::kLastSession) {
    Mistaken(offset, "expected [session] or [last_session] for duration(…), found " + ToText(e->window));
  }
  return true;
}

bool ExpressionParser::ReadStretches(Expression* e) {
  if (!ReadSelector(&e->selector) || !Need(",")) return false;
  if (Now().kind != Token::Kind::kDuration || Now().millis <= 0) return Expected("the length of a stretch, such as 7d"), false;
  e->window.kind = Window::Kind::kSliding;
  e->window.length = TakeToken().millis;
  return Need(",") && ReadNumber("how many stretches, 1 to 1000", 1, 1000, true, e);
}

}  // namespace attune
