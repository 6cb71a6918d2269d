// GET /v1/users/{id}/explain.
#include <fmt/format.h>

#include "api/call.h"
#include "engine/explain.h"
#include "http/problem.h"
#include "base/json.h"
#include "log/reader.h"

namespace attune {
namespace {

Response Wrong(const std::string& detail) { return Problem(400, "invalid_parameter", "A parameter is wrong", detail); }

}  // namespace

void Api::Explain(Call call) {
  if (!call.Reaches(runtime_.durable_sequence())) return;
  const auto plan = runtime_.program().plan;
  const auto name = call.request.QueryParameter("segment");
  const auto text = call.request.QueryParameter("expression");
  if (name.has_value() == text.has_value()) return call.reply.Send(Wrong("expected either `segment` or `expression`"));
  const Expression* expression = nullptr;
  auto parsed = std::make_shared<ParsedExpression>();
  if (name) {
    const Segment* segment = plan->FindSegment(*name);
    if (!segment) return call.reply.Send(Problem(404, "unknown_segment", "The plan has no such segment", *name));
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
  const uint8_t shard = ShardOf(user);
  auto shared = std::make_shared<Call>(std::move(call));
  // The state is asked only how far time has come for her; what is said of her comes from the log, which knows all.
  runtime_.AskNow(shard, [this, shared, user, shard, at, plan, parsed, expression](Shard& owner, Millis now) {
    const UserState* state = owner.engine().Find(user);
    if (!state) return shared->reply.Send(Problem(404, "unknown_user", "No event of this user has come", user));
    const Millis t = at.value_or(std::max({now, state->now, state->looked}));
    runtime_.AskLog([this, shared, user, shard, t, plan, parsed, expression](LogLookup&) {
      Explainer explainer(plan, *expression, user);
      auto reader = LogReader::Open(runtime_.log_dir(), 1, {.last_sequence = runtime_.durable_sequence()});
      RecordView record;
      while (reader.ok()) {
        const auto more = reader->Next(&record);
        if (!more.ok()) reader = more.error();
        if (!more.ok() || !*more) break;
        if (record.type == static_cast<uint8_t>(RecordType::kEvent) && record.shard == shard) explainer.Add(record.payload);
      }
      if (!reader.ok()) return shared->reply.Send(Problem(503, "log_unreadable", "The log cannot be read", reader.error().message));
      std::string json = "{\"user\":";
      AppendJsonString(user, &json);
      shared->Json(json + ",\"at\":\"" + FormatRfc3339(t) + "\",\"explanation\":" + ExplanationJson(explainer.At(t)) + '}');
    });
  });
}

}  // namespace attune
