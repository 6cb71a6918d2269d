// Sequences, and absence.
#include <algorithm>
#include <utility>

#include "language/expression_parser.h"

namespace attune {
namespace {

constexpr size_t kMaxSteps = 32;  // a longer sequence is refused: its state for a user grows with its steps

}  // namespace

bool ExpressionParser::ReadSequence(const std::string& name, Expression* e) {
  e->type = e->kind == Kind::kSequence ? Type::kBool : Type::kNumber;
  do {
    if (!ReadStep(name, &e->steps)) return false;
  } while (Is("->") || Is("=>"));
  if (e->steps.back().negated) {
    Mistaken(Now().begin, "the last step of " + name + "(…) must be positive; \"not\" belongs between two positive steps");
  }
  if (TakeWord("by") && !ReadBy(e)) return false;
  if (Is("[")) return Fail(Now().begin, "the window of " + name + "(…) belongs after its \")\""), false;
  if (!Is(")")) return Expected("\"->\", \"=>\", \"within\", \"by\" or \")\""), false;
  return true;
}

bool ExpressionParser::ReadStep(const std::string& name, std::vector<SequenceStep>* steps) {
  SequenceStep step;
  const size_t arrow = Now().begin;
  if (!steps->empty()) {
    step.immediate = Is("=>");
    TakeToken();
  }
  if (steps->size() == kMaxSteps) {
    return Fail(arrow, name + "(…) has more than " + std::to_string(kMaxSteps) + " steps"), false;
  }
  const size_t begin = Now().begin;
  step.negated = TakeWord("not");
  if (step.negated && steps->empty()) {
    Mistaken(begin, "the first step of " + name + "(…) must be positive; \"not\" belongs between two positive steps");
  }
  if (step.immediate && (step.negated || steps->back().negated)) {
    Mistaken(arrow, "no event lies between an event and the very next one; expected \"->\" next to \"not\"");
  }
  if (!ReadSelector(&step.selector)) return false;
  if (IsWord("within") && !ReadWithin(name, *steps, &step)) return false;
  steps->push_back(std::move(step));
  return true;
}

bool ExpressionParser::ReadWithin(const std::string& name, const std::vector<SequenceStep>& before, SequenceStep* step) {
  const size_t offset = TakeToken().begin;
  if (Now().kind != Token::Kind::kDuration) return Expected("a duration, such as 2h"), false;
  step->within = TakeToken().millis;
  if (before.empty()) {
    Mistaken(offset, "\"within\" counts from the previous step; the first step of " + name + "(…) has none");
  } else if (step->negated) {
    Mistaken(offset, "\"within\" belongs after a positive step; expected it after the next one");
  }
  return true;
}

// A property of all steps that are not negated; typed when all of them declare it.
bool ExpressionParser::ReadBy(Expression* e) {
  const size_t offset = Now().begin;
  if (Now().kind != Token::Kind::kIdentifier && Now().kind != Token::Kind::kString) {
    return Expected("a property, as in by cart_id"), false;
  }
  e->by.keys.push_back(TakeToken().text);
  if (!ReadKeys(&e->by)) return false;
  std::vector<std::string> events;
  bool any = false;
  for (const SequenceStep& step : e->steps) {
    any |= step.selector.names.empty();
    events.insert(events.end(), step.selector.names.begin(), step.selector.names.end());
  }
  std::sort(events.begin(), events.end());
  events.erase(std::unique(events.begin(), events.end()), events.end());
  if (any) events.clear();
  Expression property;
  FinishPath(events, offset, &e->by, &property);
  return true;
}

// `S then no S for d`: a conjunction of two other expressions.
ExpressionPtr ExpressionParser::TryAbsence() {
  if (!LooksLikeAbsence()) return nullptr;
  const size_t offset = Now().begin;
  const size_t begin = place();
  Selector first;
  if (!ReadSelector(&first)) return nullptr;
  const size_t end = place();
  TakeToken();  // then
  if (!TakeWord("no")) return Expected("\"no\"");
  Selector second;
  if (!ReadSelector(&second)) return nullptr;
  if (!TakeWord("for")) return Expected("\"for\"");
  if (Now().kind != Token::Kind::kDuration) return Expected("a duration");
  const Millis length = TakeToken().millis;

  ExpressionPtr since = MakeAggregate("since", offset);
  since->selector = std::move(first);
  ExpressionPtr anchor = MakeAggregate("last_time", offset);
  // The first selector is parsed again for the anchor; its mistakes are already reported.
  const size_t after = place();
  std::vector<Mistake> said;
  std::vector<Mistake>* mistakes = set_mistakes(&said);
  set_place(begin);
  ReadSelector(&anchor->selector);
  set_mistakes(mistakes);
  ATTUNE_CHECK(place() == end, "the same tokens parse alike");
  set_place(after);
  ExpressionPtr count = MakeAggregate("count", offset);
  count->selector = std::move(second);
  count->window.kind = Window::Kind::kSince;
  count->window.anchor = std::move(anchor);
  return Make(Kind::kAnd, offset, Type::kBool,
              Make(Kind::kGreaterEqual, offset, Type::kBool, std::move(since), Duration(length, offset)),
              Make(Kind::kEqual, offset, Type::kBool, std::move(count), Number(0, offset)));
}

// Whether a selector followed by `then` starts here.
bool ExpressionParser::LooksLikeAbsence() const {
  size_t i = 0;
  if (Is("(")) {
    if (!SkipBrackets("(", ")", &i)) return false;
  } else if (Now().kind == Token::Kind::kIdentifier) {
    ++i;
  } else {
    return false;
  }
  if (IsSymbol(i, "{") && !SkipBrackets("{", "}", &i)) return false;
  return Ahead(i).kind == Token::Kind::kIdentifier && Ahead(i).text == "then";
}

}  // namespace attune
