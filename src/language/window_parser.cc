// The windows in brackets.
#include <utility>

#include "language/expression_parser.h"
#include "language/nearest.h"

namespace attune {

bool ExpressionParser::ReadWindow(Window* window) {
  if (!Take("[")) return true;  // none: ever
  static constexpr std::pair<std::string_view, Window::Kind> kNamed[] = {
      {"ever", Window::Kind::kEver},           {"this_hour", Window::Kind::kThisHour},
      {"today", Window::Kind::kToday},         {"this_week", Window::Kind::kThisWeek},
      {"this_month", Window::Kind::kThisMonth}, {"session", Window::Kind::kSession},
      {"last_session", Window::Kind::kLastSession}};
  for (const auto& [word, kind] : kNamed) {
    if (TakeWord(word)) {
      window->kind = kind;
      return Need("]");
    }
  }
  if (TakeWord("since")) return ReadAnchor(Window::Kind::kSince, window);
  if (Now().kind == Token::Kind::kInstant) return ReadRange(window);
  if (Now().kind == Token::Kind::kDuration) return ReadSpan(window);
  const std::vector<std::string> words = {"ever", "this_hour", "today", "this_week", "this_month", "session", "last_session", "since"};
  const std::string near = Now().kind == Token::Kind::kIdentifier ? DidYouMean(Now().text, words) : "";
  if (Now().kind == Token::Kind::kBad) {
    Expected("");
  } else {
    Fail(Now().begin, "expected a window, such as 7d, today, session, ever or since last_time(purchase), found " + Found() + near);
  }
  return false;
}

bool ExpressionParser::ReadSpan(Window* window) {
  window->kind = Window::Kind::kSliding;
  if (Now().millis <= 0) {
    Fail(Now().begin, "a window must be longer than 0");
    return false;
  }
  window->length = TakeToken().millis;
  if (TakeWord("after")) return ReadAnchor(Window::Kind::kAfter, window);
  if (TakeWord("offset")) {
    if (Now().kind != Token::Kind::kDuration) {
      Expected("a duration");
      return false;
    }
    window->offset = TakeToken().millis;
  }
  return Need("]");
}

bool ExpressionParser::ReadRange(Window* window) {
  window->kind = Window::Kind::kRange;
  const size_t offset = Now().begin;
  window->from = ReadInstant();
  if (!Need("..")) return false;
  if (Now().kind != Token::Kind::kInstant) {
    Expected("a date or time");
    return false;
  }
  window->to = ReadInstant();
  if (window->from >= window->to) Mistaken(offset, "the window ends before it begins");
  return Need("]");
}

bool ExpressionParser::ReadAnchor(Window::Kind kind, Window* window) {
  window->kind = kind;
  if (!Enter(Now().begin)) return false;
  const bool outer = std::exchange(in_filter_, false);
  window->anchor = Sum();
  in_filter_ = outer;
  Leave();
  if (!window->anchor) return false;
  RequireType(*window->anchor, Type::kTime, "as the window's anchor");
  return Need("]");
}

}  // namespace attune
