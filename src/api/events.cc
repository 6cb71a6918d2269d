#include "api/events.h"

#include <memory>

#include "api/request_key.h"

namespace attune {
namespace {

// Lets a page of another site read the answer if `allowed`. Cookies are not read: the key identifies the sender.
void AllowOrigin(std::string_view origin, bool allowed, Response* response) {
  if (origin.empty()) return;
  if (!allowed) {
    response->headers.emplace_back("Vary", "Origin");
    return;
  }
  response->headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response->headers.emplace_back("Access-Control-Allow-Credentials", "true");
  response->headers.emplace_back("Access-Control-Expose-Headers", "Attune-Position, Attune-Request-Id, Retry-After");
  response->headers.emplace_back("Vary", "Origin");
}

// A browser sends no key with a preflight, except in the query. Without one the origin is allowed if any source allows
// it; the answer to the request itself then depends on its own source.
Response Preflight(const Request& request, const Keys& keys) {
  Response response;
  response.status = 204;
  const std::string_view origin = request.Header("Origin").value_or("");
  KeySources key = HeaderKeys(request);
  key.query = request.query();
  const auto holder = keys.Find(FindWriteKey(key));
  const bool allowed = holder ? keys.sources()[holder->source].Allows(origin) : keys.AnySourceAllows(origin);
  AllowOrigin(origin, allowed, &response);
  if (!allowed) return response;
  response.headers.emplace_back("Access-Control-Allow-Methods", "POST, OPTIONS");
  if (const auto asked = request.Header("Access-Control-Request-Headers")) {
    response.headers.emplace_back("Access-Control-Allow-Headers", std::string(*asked));
  }
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  return response;
}

// Views live as long as the request.
Upload UploadOf(const Request& request) {
  return {.path = request.path(),
          .query = request.query(),
          .body = request.body,
          .keys = HeaderKeys(request),
          .sent_at = request.Header("SentAt").value_or(""),
          .idempotency_key = request.Header("Idempotency-Key").value_or(""),
          .peer = request.peer()};
}

Response RefusalProblem(const Refusal& refusal) {
  std::vector<ProblemField> extra;
  if (refusal.line > 0) {
    extra.push_back({"offset", static_cast<int64_t>(refusal.offset)});
    extra.push_back({"line", static_cast<int64_t>(refusal.line)});
    extra.push_back({"column", static_cast<int64_t>(refusal.column)});
  }
  if (refusal.limit > 0) {
    extra.push_back({"limit", static_cast<int64_t>(refusal.limit)});
    extra.push_back({"actual", static_cast<int64_t>(refusal.actual)});
  }
  return Problem(refusal.reason, refusal.detail, extra);
}

}  // namespace

EventsResource::EventsResource(RequestRouter* router, const Keys* keys, Collector* collector,
                               const Protocols* protocols, RefusedRequests* refused)
    : keys_(*keys), collector_(*collector), refused_(*refused) {
  for (const ProtocolPath& path : protocols->paths()) {
    if (path.is_dry_run) {
      router->On("POST " + std::string(path.path), [this](Call call) { DryRun(std::move(call)); });
    } else {
      router->OnPath(path.path, path.path, [this](Call call) { Collect(std::move(call)); });
    }
  }
}

Response EventsResource::Refused(const UploadOutcome& outcome) {
  Response response = RefusalProblem(*outcome.refusal);
  if (outcome.refusal->reason == Code::kInvalidWriteKey) {
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"attune\"");
  }
  if (outcome.retry_seconds > 0) response.headers.emplace_back("Retry-After", std::to_string(outcome.retry_seconds));
  return refused_.Count(outcome.refusal->reason, std::move(response));
}

void EventsResource::Collect(Call call) {
  if (call.request.method() == "OPTIONS") return call.reply.Send(Preflight(call.request, keys_));
  if (call.request.method() != "POST") return call.reply.Send(MethodNotAllowed("POST, OPTIONS"));
  struct Pending {
    Reply reply;
    std::string origin;
  };
  auto pending = std::make_shared<Pending>(
      Pending{std::move(call.reply), std::string(call.request.Header("Origin").value_or(""))});
  collector_.Collect(UploadOf(call.request), [this, pending](UploadOutcome outcome) {
    Response response;
    if (outcome.refusal) {
      response = Refused(outcome);
    } else {
      response = {200, std::move(outcome.answer.content_type), {}, std::move(outcome.answer.body)};
      // 0: an empty batch, or no event passed the stages.
      if (outcome.position > 0) response.headers.emplace_back("Attune-Position", std::to_string(outcome.position));
    }
    const bool allowed =
        outcome.source ? outcome.source->Allows(pending->origin) : keys_.AnySourceAllows(pending->origin);
    AllowOrigin(pending->origin, allowed, &response);
    pending->reply.Send(std::move(response));
  });
}

void EventsResource::DryRun(Call call) {
  UploadOutcome outcome = collector_.DryRun(UploadOf(call.request));
  if (outcome.refusal) return call.reply.Send(Refused(outcome));
  call.reply.Send(
      {200, std::move(outcome.answer.content_type), {{"Cache-Control", "no-store"}}, std::move(outcome.answer.body)});
}

}  // namespace attune
