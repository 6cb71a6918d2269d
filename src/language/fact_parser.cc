// Facts about the user: segments and their changes, purposes, models.
#include <algorithm>

#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

bool ExpressionParser::ReadPlainName(const std::string& what, Expression* e) {
  if (Now().kind != Token::Kind::kString && Now().kind != Token::Kind::kIdentifier) return Expected(what), false;
  e->text = TakeToken().text;
  return true;
}

bool ExpressionParser::ReadSegmentName(Expression* e) {
  const size_t offset = Now().begin;
  if (!ReadPlainName("the name of a segment", e)) return false;
  if (std::find(names_.segments.begin(), names_.segments.end(), e->text) == names_.segments.end()) {
    Mistaken(offset, "there is no segment \"" + e->text + "\"" + DidYouMean(e->text, names_.segments));
  }
  return true;
}

// `for 3d`, after in_segment(s).
bool ExpressionParser::ReadFor(Expression* e) {
  if (Now().kind != Token::Kind::kDuration || Now().millis <= 0) return Expected("a duration, such as 3d"), false;
  e->kind = Kind::kInSegmentFor;
  e->window.kind = Window::Kind::kSliding;
  e->window.length = TakeToken().millis;
  return true;
}

// s[W]. W is never a session: a session consists of events, and a membership can change between two of them or after
// the last.
bool ExpressionParser::ReadSegmentChange(const std::string& name, Expression* e) {
  e->type = Type::kBool;
  if (!ReadSegmentName(e)) return false;
  const size_t offset = Now().begin;
  if (!ReadWindow(&e->window)) return false;
  if (e->window.kind == Window::Kind::kSession || e->window.kind == Window::Kind::kLastSession) {
    Mistaken(offset, "a session consists of events, not changes of membership; expected a span of time for " + name +
                         "(…), such as [7d] or [today], found " + ToText(e->window));
  }
  return true;
}

}  // namespace attune
