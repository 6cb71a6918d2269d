#include "api/suggestions.h"

#include <fmt/format.h>

#include <memory>

#include "analysis/suggestion.h"
#include "analysis/suggestion_text.h"
#include "api/expression_problem.h"
#include "history/stored_history.h"

namespace attune {
namespace {

Response WrongQuestion(const std::string& detail) { return Problem(Code::kInvalidParameter, detail); }

// False: it is given and wrong.
bool ReadInstant(const Request& request, const char* name, std::optional<Millis>* instant, Response* wrong) {
  const auto text = request.QueryParameter(name);
  if (!text) return true;
  *instant = ParseInstant(*text);
  if (*instant) return true;
  *wrong = WrongQuestion(
      fmt::format("{}: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds, found \"{}\"", name, *text));
  return false;
}

StudyOutcome OutcomeOf(const SuggestQuestion& question, const Result<SuggestAnswer>& answer, bool as_text) {
  if (answer.ok() && as_text) return {SuggestionText(question, *answer), std::nullopt, true};
  if (answer.ok()) return {SuggestionJson(question, *answer)};
  const Error& error = answer.error();
  const bool too_short = error.code == ErrorCode::kInvalid || error.code == ErrorCode::kNotFound;
  return {"", StudyOutcome::Failure{too_short ? Code::kHistoryTooShort : Code::kLogUnreadable, error.message}};
}

}  // namespace

SuggestionsResource::SuggestionsResource(RequestRouter* router, Runtime* runtime, StudiesResource* studies)
    : runtime_(*runtime), studies_(*studies) {
  router->On("GET /v1/suggest", [this](Call call) { Begin(std::move(call)); });
  studies->AddShowAndCancel("/v1/suggest/{id}");
}

void SuggestionsResource::Begin(Call call) {
  const uint64_t position = runtime_.durable_sequence();
  if (!call.CheckPosition(position)) return;
  const auto metric = call.request.QueryParameter("metric");
  const auto goal = call.request.QueryParameter("goal");
  if (!metric || !goal) return call.reply.Send(WrongQuestion("expected `metric` and `goal`"));
  SuggestionQuestion asked = AskForSuggestion(runtime_.plan_state()->program().plan, *metric, *goal,
                                           call.request.QueryParameter("horizon").value_or(""));
  if (!asked.question) return call.reply.Send(ExpressionProblem(asked.problems));
  Response wrong;
  if (!ReadInstant(call.request, "at", &asked.question->at, &wrong) ||
      !ReadInstant(call.request, "validate_at", &asked.question->validate_at, &wrong)) {
    return call.reply.Send(std::move(wrong));
  }
  asked.question->now = runtime_.Now();
  const auto question = std::make_shared<SuggestQuestion>(std::move(*asked.question));
  const bool as_text = call.PrefersText();
  studies_.Begin(std::move(call), [this, question, position, as_text](StudyProgress* progress) {
    LogHistory history(&runtime_.log(), position);
    return OutcomeOf(*question, RunSuggestion(*question, &history, progress), as_text);
  });
}

}  // namespace attune
