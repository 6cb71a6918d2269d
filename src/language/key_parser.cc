// some(…) and top(…): a value per cart, per order, per product.
#include <utility>

#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

bool ExpressionParser::ReadKeyed(const std::string& name, Expression* e) {
  if (!keyed_.empty()) {
    return Fail(static_cast<size_t>(e->location.column),
                name + "(…) cannot be used within " + keyed_ + "(…): every event there has one value of one property already"),
           false;
  }
  if (!ReadKeyProperty(name, e)) return false;
  keyed_ = name;
  ExpressionPtr value = Or();
  keyed_.clear();
  if (!value) return false;
  if (e->kind == Kind::kSome) {
    RequireType(*value, Type::kBool, "in some(…)");
    e->type = Type::kBool;
  } else {
    RequireType(*value, Type::kNumber, "in top(…)");
    e->type = Type::kList;
  }
  e->args.push_back(std::move(value));
  return e->kind == Kind::kSome || (Need(",") && ReadNumber("how many values to list, 1 to 1000", 1, 1000, true, e));
}

// `cart_id:`. Any event may carry the property, so no single declaration gives its type. When the plan declares
// properties and none has that name, a similar name gives a warning.
bool ExpressionParser::ReadKeyProperty(const std::string& name, Expression* e) {
  const Token& first = Now();
  if (first.kind != Token::Kind::kIdentifier && first.kind != Token::Kind::kString) {
    return Expected("a property and \":\", as in " + name + "(cart_id: …)"), false;
  }
  e->path.keys.push_back(TakeToken().text);
  if (!ReadKeys(&e->path)) return false;
  if (!Is(":")) return Expected("\":\" after the property, as in " + name + "(cart_id: …)"), false;
  TakeToken();
  if (e->path.keys.front() == "context" && e->path.keys.size() > 1) {
    e->path.in_context = true;
    e->path.keys.erase(e->path.keys.begin());
    return true;
  }
  std::vector<std::string> declared;
  for (const auto& [event, spec] : *names_.specs) {
    for (const PropertySpec& property : spec.properties) declared.push_back(property.name);
  }
  const std::string& key = e->path.keys.front();
  const std::string nearest = Nearest(key, declared);
  if (!nearest.empty() && nearest != key) {
    Warn(first.begin, "the plan declares no property \"" + key + "\"; did you mean \"" + nearest + "\"?");
  }
  return true;
}

}  // namespace attune
