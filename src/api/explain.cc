// GET /v1/users/{id}/explain.
#include <fmt/format.h>

#include "api/call.h"
#include "base/json.h"
#include "engine/explain/explain.h"
#include "http/problem.h"

namespace attune {
namespace {

Response Wrong(const std::string& detail) { return Problem(Code::kInvalidParameter, detail); }

}  // namespace

void Api::Explain(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  const auto plan = runtime_.plan_state()->program().plan;
  const auto name = call.request.QueryParameter("segment");
  const auto text = call.request.QueryParameter("expression");
  if (name.has_value() == text.has_value()) return call.reply.Send(Wrong("expected either `segment` or `expression`"));
  const Expression* expression = nullptr;
  auto parsed = std::make_shared<ParsedExpression>();
  if (name) {
    const Segment* segment = plan->FindSegment(*name);
    if (!segment) return call.reply.Send(Problem(Code::kUnknownSegment, *name));
    expression = segment->when.get();
  } else {
    *parsed = ParseExpression(*text, *plan);
    for (const auto& problem : parsed->problems) {
      if (!problem.warning) return call.reply.Send(Wrong(ToText(problem)));
    }
    expression = parsed->expression.get();
  }
  std::optional<Millis> at;
  if (const auto given = call.request.QueryParameter("at")) {
    at = ParseInstant(*given);
    if (!at) return call.reply.Send(Wrong("at: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds"));
  }
  const std::string user = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  // The state is asked only how far time has come for her and which records are hers; the rest is in the log.
  runtime_.AskPerson(user, [this, shared, user, at, plan, parsed, expression](Shard& owner, std::string_view person, Millis now) {
    const UserState* state = owner.engine().Find(person);
    if (!state) return shared->reply.Send(Problem(Code::kUnknownUser, user));
    const Millis t = at.value_or(std::max({now, state->now, state->looked}));
    runtime_.AskLog([this, shared, plan_state = runtime_.plan_state(), indexed = owner.Indexed(person), t, plan, parsed,
                     expression](ReadableLog& log) {
      const std::string& name = indexed.id;
      const auto history = plan_state->HistoryOf(indexed);
      if (!history.ok()) return shared->reply.Send(Problem(Code::kStorageFailed, history.error().message));
      const auto records = log.Read(*history);
      if (!records.ok()) {
        return shared->reply.Send(Problem(Code::kLogUnreadable, records.error().message));
      }
      Explainer explainer(plan, *expression, name);
      for (const auto& record : *records) {
        if (!record) continue;
        const auto event = DecodeEvent(record->payload);
        if (event.ok() && runtime_.PersonOf(event->head.user) == name) explainer.Add(record->payload);
      }
      std::string json = "{\"user\":";
      AppendJsonString(name, &json);
      shared->Json(json + ",\"at\":\"" + FormatRfc3339(t) + "\",\"explanation\":" + ExplanationJson(explainer.At(t)) + '}');
    });
  });
}

}  // namespace attune
