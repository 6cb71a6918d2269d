// Selectors and the properties of events.
#include <algorithm>
#include <iterator>
#include <utility>

#include "event/name.h"
#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {
namespace {

void Unite(std::vector<std::string>* names) {
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
}

}  // namespace

bool ExpressionParser::Known(const std::string& event) const {
  return std::find(names_.events.begin(), names_.events.end(), event) != names_.events.end();
}

bool ExpressionParser::ReadEventName(Selector* selector) {
  if (Now().kind != Token::Kind::kIdentifier) {
    Expected("the name of an event");
    return false;
  }
  const Token& word = TakeToken();
  if (word.text == "any") {
    selector->names.clear();
    return true;
  }
  const std::string name = NormaliseEventName(word.text);
  if (name.empty()) {
    Mistaken(word.begin, "expected the name of an event, which has a letter or a digit, found \"" + std::string(word.text) + "\"");
    return true;
  }
  if (!Known(name)) {
    const std::string nearest = DidYouMean(name, names_.events);
    if (names_.refuse_unknown_events) {
      Mistaken(word.begin, "the plan refuses unknown events and declares no event \"" + name + "\"" + nearest);
    } else if (!nearest.empty()) {
      Warn(word.begin, "the plan declares no event \"" + name + "\"" + nearest);
    }
  }
  selector->names.push_back(name);
  return true;
}

bool ExpressionParser::ReadSelector(Selector* selector) {
  if (!Is("(")) {
    if (!ReadEventName(selector)) return false;
  } else if (!ReadAlternatives(selector)) {
    return false;
  }
  if (Is("{")) return ReadFilter(selector);
  // Parentheses around one selector change nothing.
  if (selector->alternatives.size() == 1) {
    Selector only = std::move(selector->alternatives.front());
    *selector = std::move(only);
  }
  return true;
}

// `(a or b{v > 1} or (c or d))`
bool ExpressionParser::ReadAlternatives(Selector* selector) {
  if (!Enter(TakeToken().begin)) return false;
  Selector plain;  // the names of the parts without a filter
  bool has_plain = false, any = false;
  std::vector<Selector> filtered;
  const auto take = [&](Selector part) {
    if (part.filter) {
      filtered.push_back(std::move(part));
    } else {
      has_plain = true;
      any |= part.names.empty();
      plain.names.insert(plain.names.end(), part.names.begin(), part.names.end());
    }
  };
  do {
    Selector part;
    if (!ReadSelector(&part)) return false;
    if (part.filter || part.alternatives.empty()) {
      take(std::move(part));
    } else {
      for (Selector& inner : part.alternatives) take(std::move(inner));
    }
  } while (TakeWord("or"));
  Leave();
  if (!Need(")")) return false;
  if (any) return true;  // one of them selects every event
  Unite(&plain.names);
  selector->names = plain.names;
  if (filtered.empty()) return true;
  for (const Selector& part : filtered) {
    any |= part.names.empty();
    selector->names.insert(selector->names.end(), part.names.begin(), part.names.end());
  }
  if (any) selector->names.clear();
  Unite(&selector->names);
  if (has_plain) selector->alternatives.push_back(std::move(plain));
  std::move(filtered.begin(), filtered.end(), std::back_inserter(selector->alternatives));
  return true;
}

bool ExpressionParser::ReadFilter(Selector* selector) {
  TakeToken();
  const bool outer = std::exchange(in_filter_, true);
  const Selector* outer_selector = std::exchange(filtered_, selector);
  ExpressionPtr filter = Is("}") ? Expected("a condition") : Or();
  in_filter_ = outer;
  filtered_ = outer_selector;
  if (!filter || !Need("}")) return false;
  RequireType(*filter, Type::kBool, "between the braces");
  selector->filter = std::move(filter);
  return true;
}

// A dotted path of the event's properties, inside braces.
ExpressionPtr ExpressionParser::Property() {
  ExpressionPtr e = Make(Kind::kProperty, Now().begin, Type::kNull, true);
  const size_t offset = Now().begin;
  e->path.keys.push_back(TakeToken().text);
  if (!ReadKeys(&e->path)) return nullptr;
  FinishPath(filtered_->names, offset, &e->path, e.get());
  return e;
}

bool ExpressionParser::ReadKeys(PropertyPath* path) {
  while (Take(".")) {
    if (Now().kind != Token::Kind::kIdentifier && Now().kind != Token::Kind::kString) {
      Expected("a property's name");
      return false;
    }
    path->keys.push_back(TakeToken().text);
  }
  return true;
}

// Distinguishes context from properties and finds the declared type.
void ExpressionParser::FinishPath(const std::vector<std::string>& events, size_t offset, PropertyPath* path, Expression* e) {
  e->dynamic = true;
  if (path->keys.front() == "context" && path->keys.size() > 1) {
    path->in_context = true;
    path->keys.erase(path->keys.begin());
    return;
  }
  std::optional<Type> common;
  for (const std::string& name : events) {
    const auto event = names_.specs->find(name);
    if (event == names_.specs->end() || event->second.properties.empty()) return;
    const auto type = DeclaredType(event->second, *path, offset);
    if (!type || (common && *common != *type)) return;
    common = type;
  }
  if (!common || *common == Type::kNull) return;
  e->dynamic = false;
  e->type = *common;
  path->is_time = *common == Type::kTime;
}

// kNull: declared, but without a single type (a schema). nullopt: not declared.
std::optional<Type> ExpressionParser::DeclaredType(const EventSpec& event, const PropertyPath& path, size_t offset) {
  std::vector<std::string> known;
  for (const PropertySpec& property : event.properties) {
    known.push_back(property.name);
    if (property.name != path.keys.front()) continue;
    if (path.keys.size() > 1) return std::nullopt;
    switch (property.type) {
      case PropertyType::kString: return Type::kString;
      case PropertyType::kNumber:
      case PropertyType::kInteger: return Type::kNumber;
      case PropertyType::kBoolean: return Type::kBool;
      case PropertyType::kTime: return Type::kTime;
      case PropertyType::kSchema: return Type::kNull;
    }
  }
  Warn(offset, "the plan declares no property \"" + path.keys.front() + "\" of " + event.name +
                   DidYouMean(path.keys.front(), known));
  return std::nullopt;
}

}  // namespace attune
