#include "api/users.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "api/behavior.h"
#include "base/json.h"
#include "engine/explain/explain.h"
#include "event/event.h"
#include "language/parser.h"
#include "shard/user_view.h"

namespace attune {
namespace {

Response WrongExplain(const std::string& detail) { return Problem(Code::kInvalidParameter, detail); }

}  // namespace

UsersResource::UsersResource(RequestRouter* router, Runtime* runtime) : runtime_(*runtime) {
  for (const char* row : {"GET /user/{id}/behavior", "GET /v1/users/{id}/behavior"}) {
    router->On(row, [this](Call call) { ShowBehavior(std::move(call)); });
  }
  router->On("GET /v1/users/{id}/explain", [this](Call call) { Explain(std::move(call)); });
  router->On("POST /v1/users/{id}/unmerge", [this](Call call) { Unmerge(std::move(call)); });
}

void UsersResource::ShowBehavior(Call call) {
  const auto limit = call.Number("limit", kRecentEvents, 0, kRecentEvents);
  if (!limit || !call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string user = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  const auto answer = [this, shared, user, limit = static_cast<size_t>(*limit)](Shard& shard, std::string_view person,
                                                                                Millis now) {
    UserView view(&shard.engine(), person, now);
    if (!view.user()) return shared->reply.Send(Problem(Code::kUnknownUser, user));
    auto behavior = BehaviorOf(*view.user(), now, limit, &view.engine());
    if (behavior.recent.empty() || limit == 0) return shared->Json(behavior.before + behavior.after);
    runtime_.AskLog(
        [shared, behavior = std::move(behavior)](ReadableLog& log) { shared->Json(BehaviorJson(behavior, &log)); });
  };
  runtime_.AskPerson(user, answer);
}

void UsersResource::Explain(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  const auto plan = runtime_.plan_state()->program().plan;
  const auto name = call.request.QueryParameter("segment");
  const auto text = call.request.QueryParameter("expression");
  if (name.has_value() == text.has_value()) {
    return call.reply.Send(WrongExplain("expected either `segment` or `expression`"));
  }
  const Expression* expression = nullptr;
  auto parsed = std::make_shared<ParsedExpression>();
  if (name) {
    const Segment* segment = plan->FindSegment(*name);
    if (!segment) return call.reply.Send(Problem(Code::kUnknownSegment, *name));
    expression = segment->when.get();
  } else {
    *parsed = ParseExpression(*text, *plan);
    for (const auto& problem : parsed->problems) {
      if (!problem.warning) return call.reply.Send(WrongExplain(ToText(problem)));
    }
    expression = parsed->expression.get();
  }
  std::optional<Millis> at;
  if (const auto given = call.request.QueryParameter("at")) {
    at = ParseInstant(*given);
    if (!at) {
      return call.reply.Send(WrongExplain("at: expected a time such as 2026-03-01T10:00:00Z or epoch milliseconds"));
    }
  }
  const std::string user = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  // The state only gives the user's time and which records are the user's; the records are in the log.
  runtime_.AskPerson(
      user, [this, shared, user, at, plan, parsed, expression](Shard& owner, std::string_view person, Millis now) {
        const UserState* state = owner.engine().Find(person);
        if (!state) return shared->reply.Send(Problem(Code::kUnknownUser, user));
        const Millis t = at.value_or(std::max({now, state->now, state->looked}));
        runtime_.AskLog([this, shared, plan_state = runtime_.plan_state(), indexed = owner.Indexed(person), t, plan,
                         parsed, expression](ReadableLog& log) {
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
          if (shared->PrefersText()) return shared->Text(ExplanationPage(shared->names[0], t, explainer.At(t)));
          std::string json = "{\"user\":";
          AppendJsonString(name, &json);
          shared->Json(json + ",\"at\":\"" + FormatRfc3339(t) +
                       "\",\"explanation\":" + ExplanationJson(explainer.At(t)) + '}');
        });
      });
}

void UsersResource::Unmerge(Call call) {
  if (!call.CheckPosition(runtime_.durable_sequence())) return;
  const std::string id = call.names[0];
  auto shared = std::make_shared<Call>(std::move(call));
  runtime_.AskPerson(id, [this, shared, id](Shard& shard, std::string_view person, Millis) {
    if (person == id) {
      const bool known = shard.engine().Find(id) != nullptr;
      return shared->reply.Send(known ? Problem(Code::kNotMerged, id) : Problem(Code::kUnknownUser, id));
    }
    const auto answer = [shared, id, from = std::string(person)](const Status& durable, uint64_t sequence) {
      if (!durable.ok()) return shared->reply.Send(Later(Code::kStorageFailed, durable.error().message));
      std::string json = "{\"user\":";
      AppendJsonString(id, &json);
      json += ",\"from\":";
      AppendJsonString(from, &json);
      Response response{
          200, kJson, {{"Cache-Control", "no-store"}, {"Attune-Position", std::to_string(sequence)}}, json + '}'};
      shared->reply.Send(std::move(response));
    };
    const Status status = runtime_.UndoMerge(id, answer);
    if (!status.ok()) shared->reply.Send(Later(Code::kOverloaded, status.error().message));
  });
}

}  // namespace attune
