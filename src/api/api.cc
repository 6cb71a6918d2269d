#include "api/api.h"

#include <fmt/format.h>

#include "api/call.h"
#include "api/dead_letters.h"
#include "api/effect_stream.h"
#include "base/json.h"
#include "http/problem.h"
#include "ingest/write_key.h"

namespace attune {
namespace {

KeySources HeaderKeys(const Request& request) {
  const auto header = [&](const char* name) { return request.Header(name).value_or(std::string_view()); };
  return {
      .authorization = header("Authorization"), .x_write_key = header("X-Write-Key"), .x_api_key = header("X-API-Key")};
}

std::string KeyOf(const Request& request, std::string_view body_key) {
  KeySources sources = HeaderKeys(request);
  sources.body = body_key;
  sources.query = request.query();
  return FindWriteKey(sources);
}

Response WrongWriteKey(std::string_view key) {
  Response response = Problem(401, "invalid_write_key", "A valid write key is needed",
                              key.empty() ? "failed to read writekey from header" : "invalid write key");
  response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"attune\"");
  return response;
}

// A page of another site may send events: the key says who, no cookie is read.
void AllowOrigin(std::string_view origin, Response* response) {
  if (origin.empty()) return;
  response->headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response->headers.emplace_back("Access-Control-Allow-Credentials", "true");
  response->headers.emplace_back("Access-Control-Expose-Headers", "Attune-Position, Retry-After");
  response->headers.emplace_back("Vary", "Origin");
}

// `{"index":3,"messageId":"…","reason":"…","field":"…","detail":"…"}`
void AppendRejection(size_t index, const SegmentEvent& event, std::string* out) {
  const EventError& error = event.dead->first();
  *out += fmt::format("{{\"index\":{},\"messageId\":", index);
  if (event.message_id.empty()) {
    *out += "null";
  } else {
    AppendJsonString(event.message_id, out);
  }
  *out += ",\"reason\":";
  AppendJsonString(CodeOf(error.reason), out);
  *out += ",\"field\":";
  if (error.field.empty()) {
    *out += "null";
  } else {
    AppendJsonString(error.field, out);
  }
  *out += ",\"detail\":";
  AppendJsonString(error.detail, out);
  *out += '}';
}

}  // namespace

// --- requests ---

Api::Api(Runtime* runtime, const Keys* keys, ApiOptions options)
    : number_([] {
        static std::atomic<uint64_t> last{0};
        return ++last;
      }()),
      runtime_(*runtime),
      keys_(*keys),
      stream_(std::make_unique<EffectStream>(&runtime->outbox())),
      options_(std::move(options)) {}

Api::~Api() = default;

void Api::Handle(Request request, Reply reply) {
  if (const SegmentPath* path = FindSegmentPath(request.path())) {
    if (request.method() == "POST") return Collect(*path, std::move(request), std::move(reply));
    if (request.method() == "OPTIONS") return Preflight(request, std::move(reply));
    return reply.Send(MethodNotAllowed("POST, OPTIONS"));
  }
  const auto pieces = request.PathSegments();
  if (!pieces) return reply.Send(Problem(400, "malformed_path", "The path cannot be decoded", request.path()));
  std::string allowed;
  for (const Route& route : Routes()) {
    std::vector<std::string> names;
    if (!MatchesPath(route.path, *pieces, &names)) continue;
    if (request.method() != route.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (route.access == Access::kApiKey && !MayAsk(request, &reply)) return;
    return (this->*route.handle)({std::move(request), std::move(reply), std::move(names)});
  }
  for (const Asset& asset : options_.assets) {
    if (asset.path != request.path()) continue;
    if (request.method() != "GET") return reply.Send(MethodNotAllowed("GET"));
    return reply.Send({200,
                       asset.content_type,
                       {{"Content-Security-Policy", kPagePolicy}, {"Cache-Control", "no-cache"}},
                       asset.body});
  }
  if (!allowed.empty()) return reply.Send(MethodNotAllowed(allowed));
  reply.Send(Problem(404, "not_found", "There is nothing here",
                     std::string(request.method()) + " " + std::string(request.path())));
}

bool Api::MayAsk(const Request& request, Reply* reply) const {
  const std::string key = KeyOf(request, {});
  const auto kind = key.empty() ? std::nullopt : keys_.Find(key);
  if (kind == KeyKind::kApi) return true;
  if (kind == KeyKind::kWrite) {
    reply->Send(Problem(403, "insufficient_scope", "The key may not do this",
                        "a write key only sends events; this needs an API key"));
    return false;
  }
  Response response =
      Problem(401, "invalid_key", "A valid API key is needed", "send it as Authorization: Bearer <API key>");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  reply->Send(std::move(response));
  return false;
}

// --- events in ---

void Api::Preflight(const Request& request, Reply reply) {
  Response response;
  response.status = 204;
  AllowOrigin(request.Header("Origin").value_or(""), &response);
  response.headers.emplace_back("Access-Control-Allow-Methods", "POST, OPTIONS");
  if (const auto asked = request.Header("Access-Control-Request-Headers")) {
    response.headers.emplace_back("Access-Control-Allow-Headers", std::string(*asked));
  }
  response.headers.emplace_back("Access-Control-Max-Age", "86400");
  reply.Send(std::move(response));
}

void Api::Collect(const SegmentPath& path, Request request, Reply reply) {
  // A reader for each of the server's threads, made when the thread first needs it.
  struct Own {
    uint64_t api = 0;
    std::shared_ptr<const Plan> plan;
    std::unique_ptr<SegmentReader> reader;
  };
  thread_local Own own;
  if (const auto plan = runtime_.world()->program().plan; own.api != number_ || own.plan != plan) {
    own = {number_, plan, std::make_unique<SegmentReader>(*plan)};
  }

  const std::string origin(request.Header("Origin").value_or(""));
  const auto answer = [&](Response response) {
    AllowOrigin(origin, &response);
    reply.Send(std::move(response));
  };
  if (draining_) return answer(Later("draining", "the server is shutting down", 503));
  std::optional<Millis> sent_at;
  if (const auto header = request.Header("SentAt")) sent_at = ParseRfc3339(*header);
  // Anybody can send a body, and reading one costs: where a header brings the key, it is looked at first.
  const std::string header_key = FindWriteKey(HeaderKeys(request));
  if (!header_key.empty() && !keys_.Find(header_key)) return answer(WrongWriteKey(header_key));
  SegmentRequest read = own.reader->Read({&path, request.body, runtime_.Now(), sent_at});
  if (header_key.empty()) {
    const std::string key = KeyOf(request, read.write_key);
    if (!keys_.Find(key)) return answer(WrongWriteKey(key));
  }
  if (!read.ok()) return answer(RefusalProblem(*read.refusal));
  const bool single = path.call != SegmentCall::kBatch && path.call != SegmentCall::kImport;
  LogAccepted(std::move(read.events), single, origin, std::move(reply));
}

void Api::LogAccepted(std::vector<SegmentEvent> events, bool single, std::string origin, Reply reply) {
  const Millis received = runtime_.Now();
  std::vector<LogEntry> entries;
  std::vector<std::string> letters;
  letters.reserve(events.size());
  std::string rejected;
  size_t accepted = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    const SegmentEvent& event = events[i];
    if (event.ok()) {
      entries.push_back({static_cast<uint8_t>(RecordType::kEvent), 0, event.record});
      ++accepted;
      continue;
    }
    letters.push_back(DeadLetterRecord(*event.dead, received));
    entries.push_back(
        {static_cast<uint8_t>(RecordType::kDeadLetter), ShardOfDeadLetter(*event.dead, i), letters.back()});
    if (!rejected.empty()) rejected += ',';
    AppendRejection(i, event, &rejected);
  }
  std::string body = fmt::format("{{\"success\":true,\"accepted\":{},\"rejected\":[{}]", accepted, rejected);
  if (single && !events.empty() && events[0].ok()) {
    body += ",\"messageId\":";
    AppendJsonString(events[0].message_id, &body);
  }
  body += '}';
  accepted_ += accepted;
  rejected_ += events.size() - accepted;
  if (entries.empty()) return reply.Send({200, kJson, {}, std::move(body)});
  // Copied into the log's buffer by Append: the callback needs the answer alone.
  auto answer = std::make_shared<std::pair<Reply, std::string>>(std::move(reply), std::move(body));
  const size_t count = entries.size();
  const Status status = runtime_.Append(entries, [this, answer, origin, count](const Status& durable, uint64_t first) {
    Response response;
    if (durable.ok()) {
      response = {200, kJson, {{"Attune-Position", std::to_string(first + count - 1)}}, std::move(answer->second)};
    } else {
      ++refused_;
      const bool full = durable.error().code == ErrorCode::kUnavailable;
      response = Later(full ? "storage_full" : "storage_failed", durable.error().message, 503);
    }
    AllowOrigin(origin, &response);
    answer->first.Send(std::move(response));
  });
  if (status.ok()) return;
  ++refused_;
  Response response = Later(status.error().code == ErrorCode::kUnavailable ? "overloaded" : "storage_failed",
                            status.error().message, status.error().code == ErrorCode::kUnavailable ? 429 : 503);
  AllowOrigin(origin, &response);
  answer->first.Send(std::move(response));
}

}  // namespace attune
