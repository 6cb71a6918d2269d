#include "api/api.h"

#include <fmt/format.h>

#include "access/write_key.h"
#include "api/call.h"
#include "api/effect_stream.h"
#include "base/hash.h"
#include "base/json.h"
#include "dead_letter/dead_letters.h"
#include "http/problem.h"
#include "language/token.h"

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
  Response response = Problem(Code::kInvalidWriteKey,
                              key.empty() ? "failed to read writekey from header" : "invalid write key");
  response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"attune\"");
  return response;
}

// A page of another site may send events: the key says who, no cookie is read.
void AllowOrigin(std::string_view origin, Response* response) {
  if (origin.empty()) return;
  response->headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  response->headers.emplace_back("Access-Control-Allow-Credentials", "true");
  response->headers.emplace_back("Access-Control-Expose-Headers", "Attune-Position, Attune-Request-Id, Retry-After");
  response->headers.emplace_back("Vary", "Origin");
}

// `"index":3,"messageId":"…","reason":"…","field":"…","detail":"…"`
void AppendRejection(size_t index, const SegmentEvent& event, std::string* out) {
  const EventError& error = event.dead->first();
  *out += fmt::format("\"index\":{},\"messageId\":", index);
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
}

int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// RudderStack's header.
std::optional<Millis> SentAt(const Request& request) {
  const auto header = request.Header("SentAt");
  return header ? ParseRfc3339(*header) : std::nullopt;
}

// What the ids of events begin with that were sent without one: the same when the request is sent again. Empty: it does not
// say that it is sent again.
std::string IdsOf(const Request& request) {
  const auto key = request.Header("Idempotency-Key");
  return key && !key->empty() ? "again-" + ToHex(Hash128(*key)) : "";
}

// What an import says of how old its events may be; without a value: what the plan says.
Result<std::optional<Millis>> OldestEventOf(const SegmentPath& path, const Request& request) {
  const auto text = path.call == SegmentCall::kImport ? request.QueryParameter("oldest_event") : std::nullopt;
  if (!text) return std::optional<Millis>();
  Millis span = 0;
  if (ParseDuration(*text, &span) && span > 0) return std::optional(span);
  return Error{ErrorCode::kInvalid, "oldest_event: expected a duration such as 7300d, found \"" + *text + "\""};
}

Response RateLimited(std::string_view who, int pause_seconds) {
  Response response = Problem(Code::kRateLimited, fmt::format("{} may send again in {} seconds", who, pause_seconds));
  response.headers.emplace_back("Retry-After", std::to_string(pause_seconds));
  return response;
}

}  // namespace

// --- requests ---

Api::Api(Runtime* runtime, const Keys* keys, DeadLetters* dead_letters, ApiOptions options)
    : number_([] {
        static std::atomic<uint64_t> last{0};
        return ++last;
      }()),
      runtime_(*runtime),
      keys_(*keys),
      dead_letters_(*dead_letters),
      stream_(std::make_unique<EffectStream>(&runtime->outbox())),
      options_(std::move(options)),
      rates_(options_.rates) {}

Api::~Api() = default;

void Api::Handle(Request request, Reply reply) {
  if (const SegmentPath* path = FindSegmentPath(request.path())) {
    if (request.method() == "POST") return Collect(*path, std::move(request), std::move(reply));
    if (request.method() == "OPTIONS") return Preflight(request, std::move(reply));
    return reply.Send(MethodNotAllowed("POST, OPTIONS"));
  }
  const auto pieces = request.PathSegments();
  if (!pieces) return reply.Send(Problem(Code::kMalformedPath, request.path()));
  std::string allowed;
  for (const Route& route : Routes()) {
    std::vector<std::string> names;
    if (!MatchesPath(route.path, *pieces, &names)) continue;
    if (request.method() != route.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (route.access != Access::kOpen && !MayAsk(request, route.access, &reply)) return;
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
  reply.Send(Problem(Code::kNotFound,
                     std::string(request.method()) + " " + std::string(request.path())));
}

std::string_view Api::RouteOf(const Request& request) {
  if (const SegmentPath* path = FindSegmentPath(request.path())) return path->path;
  const auto pieces = request.PathSegments();
  if (!pieces) return {};
  std::vector<std::string> names;
  for (const Route& route : Routes()) {
    names.clear();
    if (MatchesPath(route.path, *pieces, &names)) return route.path;
  }
  return {};
}

bool Api::MayAsk(const Request& request, Access access, Reply* reply) const {
  const std::string key = KeyOf(request, {});
  const auto kind = key.empty() ? std::nullopt : keys_.Find(key);
  if (kind == KeyKind::kApi || (kind && access == Access::kAnyKey)) return true;
  if (kind == KeyKind::kWrite) {
    reply->Send(Problem(Code::kInsufficientScope,
                        "a write key only sends events; this needs an API key"));
    return false;
  }
  Response response =
      Problem(Code::kInvalidKey, "send it as Authorization: Bearer <API key>");
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

SegmentReader& Api::Reader() {
  // One for each of the server's threads, made when the thread first needs it.
  struct Own {
    uint64_t api = 0;
    std::shared_ptr<const Plan> plan;
    std::unique_ptr<SegmentReader> reader;
  };
  thread_local Own own;
  if (const auto plan = runtime_.plan_state()->program().plan; own.api != number_ || own.plan != plan) {
    own = {number_, plan, std::make_unique<SegmentReader>(*plan)};
  }
  return *own.reader;
}

Response Api::Refused(Code code, Response response) {
  refused_.Count(code);
  return response;
}

struct Api::Sender {
  std::string key;  // one that somebody holds; empty as long as it is not known
  int64_t now_ms = SteadyMs();
  std::optional<Response> refusal;
};

// Looked at in vain, a request costs its network as much as an event; one that comes too early costs nothing.
bool Api::MaySend(Sender* sender, const Request& request, std::string_view key) {
  if (!keys_.Find(key)) {
    rates_.Charge("", request.peer(), 1, sender->now_ms);
    sender->refusal = Refused(Code::kInvalidWriteKey, WrongWriteKey(key));
    return false;
  }
  sender->key = key;
  const auto pause = rates_.PauseOfKey(key, sender->now_ms);
  if (pause) sender->refusal = Refused(Code::kRateLimited, RateLimited("this key", *pause));
  return !pause;
}

void Api::Collect(const SegmentPath& path, Request request, Reply reply) {
  const std::string origin(request.Header("Origin").value_or(""));
  const auto answer = [&](Response response) {
    AllowOrigin(origin, &response);
    reply.Send(std::move(response));
  };
  if (draining_) return answer(Refused(Code::kDraining, Later(Code::kDraining, "the server is shutting down")));
  Sender sender;
  if (const auto pause = rates_.PauseOfNetwork(request.peer(), sender.now_ms)) {
    return answer(Refused(Code::kRateLimited, RateLimited("clients of this network", *pause)));
  }
  // Anybody can send a body, and reading one costs: where a header brings the key, it is looked at first.
  const std::string header_key = FindWriteKey(HeaderKeys(request));
  if (!header_key.empty() && !MaySend(&sender, request, header_key)) return answer(std::move(*sender.refusal));
  const Millis received = runtime_.Now();
  const std::string ids = IdsOf(request);
  const auto oldest_event = OldestEventOf(path, request);
  SegmentRequest read = Reader().Read({&path, request.body, received, SentAt(request), ids, oldest_event.ok() ? *oldest_event : std::nullopt});
  if (header_key.empty() && !MaySend(&sender, request, KeyOf(request, read.write_key))) return answer(std::move(*sender.refusal));
  if (!oldest_event.ok()) return answer(Refused(Code::kInvalidParameter, Problem(Code::kInvalidParameter, oldest_event.error().message)));
  rates_.Charge(sender.key, request.peer(), std::max<size_t>(1, read.events.size()), sender.now_ms);
  if (!read.ok()) return Refuse(path, *read.refusal, request, sender, received, origin, std::move(reply));
  const bool single = path.call != SegmentCall::kBatch && path.call != SegmentCall::kImport;
  LogAccepted(std::move(read.events), single, origin, received, std::move(reply));
}

void Api::Refuse(const SegmentPath& path, const Refusal& refusal, const Request& request, const Sender& sender, Millis received,
                 std::string origin, Reply reply) {
  Response problem = Refused(refusal.reason, RefusalProblem(refusal));
  AllowOrigin(origin, &problem);
  if (!refusals_.MayKeep(sender.key, std::min(request.body.size(), kLetterBodyBytes), sender.now_ms)) return reply.Send(std::move(problem));
  DeadLetter letter = LetterOfRequest(path.path, request.body, refusal.reason, refusal.detail);
  letter.sent_at = SentAt(request);
  const std::string record = DeadLetterRecord(letter, received);
  const NewRecord entry{RecordType::kDeadLetter, ShardOfDeadLetter(letter), record};
  auto answer = std::make_shared<std::pair<Reply, Response>>(std::move(reply), std::move(problem));
  const Status status = runtime_.Append({&entry, 1}, [this, answer, origin, reason = refusal.reason](const Status& durable, uint64_t) {
    if (durable.ok()) {
      letters_.Count(reason);
    } else {
      answer->second = NotDurable(durable.error(), origin);
    }
    answer->first.Send(std::move(answer->second));
  });
  if (!status.ok()) answer->first.Send(NotTaken(status.error(), origin));
}

void Api::LogAccepted(std::vector<SegmentEvent> events, bool single, std::string origin, Millis received, Reply reply) {
  std::vector<NewRecord> entries;
  std::vector<std::string> letters;
  letters.reserve(events.size());
  std::string rejected;
  struct Answer {
    Reply reply;
    std::string body;
    std::string origin;
    size_t accepted = 0;
    std::vector<Reason> reasons;
  };
  auto answer = std::make_shared<Answer>(Answer{std::move(reply), "", std::move(origin), 0, {}});
  for (size_t i = 0; i < events.size(); ++i) {
    const SegmentEvent& event = events[i];
    if (event.ok()) {
      entries.push_back(NewRecord::Event(event.record));
      ++answer->accepted;
      continue;
    }
    letters.push_back(DeadLetterRecord(*event.dead, received));
    entries.push_back({RecordType::kDeadLetter, ShardOfDeadLetter(*event.dead), letters.back()});
    answer->reasons.push_back(event.dead->first().reason);
    if (!rejected.empty()) rejected += ',';
    rejected += '{';
    AppendRejection(i, event, &rejected);
    rejected += '}';
  }
  answer->body = fmt::format("{{\"success\":true,\"accepted\":{},\"rejected\":[{}]", answer->accepted, rejected);
  if (single && !events.empty() && events[0].ok()) {
    answer->body += ",\"messageId\":";
    AppendJsonString(events[0].message_id, &answer->body);
  }
  answer->body += '}';
  if (entries.empty()) return answer->reply.Send({200, kJson, {}, std::move(answer->body)});
  // Copied into the log's buffer by Append: the callback needs the answer alone.
  const size_t count = entries.size();
  const Status status = runtime_.Append(entries, [this, answer, count](const Status& durable, uint64_t first) {
    if (!durable.ok()) return answer->reply.Send(NotDurable(durable.error(), answer->origin));
    accepted_ += answer->accepted;
    rejected_ += answer->reasons.size();
    for (const Reason reason : answer->reasons) letters_.Count(reason);
    Response response{200, kJson, {{"Attune-Position", std::to_string(first + count - 1)}}, std::move(answer->body)};
    AllowOrigin(answer->origin, &response);
    answer->reply.Send(std::move(response));
  });
  if (!status.ok()) answer->reply.Send(NotTaken(status.error(), answer->origin));
}

// What could not be made durable.
Response Api::NotDurable(const Error& error, std::string_view origin) {
  const Code code = error.code == ErrorCode::kUnavailable ? Code::kStorageFull : Code::kStorageFailed;
  Response response = Refused(code, Later(code, error.message));
  AllowOrigin(origin, &response);
  return response;
}

// What was not even begun to be written.
Response Api::NotTaken(const Error& error, std::string_view origin) {
  const Code code = error.code == ErrorCode::kUnavailable ? Code::kOverloaded : Code::kStorageFailed;
  Response response = Refused(code, Later(code, error.message));
  AllowOrigin(origin, &response);
  return response;
}

// The collector's own path, but for what it leaves in the log.
void Api::Validate(Call call) {
  Sender sender;
  sender.key = KeyOf(call.request, {});
  const auto network_pause = rates_.PauseOfNetwork(call.request.peer(), sender.now_ms);
  const auto pause = network_pause ? network_pause : rates_.PauseOfKey(sender.key, sender.now_ms);
  if (pause) return call.reply.Send(Refused(Code::kRateLimited, RateLimited(network_pause ? "clients of this network" : "this key", *pause)));
  const SegmentRequest read = Reader().Read({&kValidatePath, call.request.body, runtime_.Now(), SentAt(call.request)});
  rates_.Charge(sender.key, call.request.peer(), std::max<size_t>(1, read.events.size()), sender.now_ms);
  if (!read.ok()) return call.reply.Send(Refused(read.refusal->reason, RefusalProblem(*read.refusal)));
  std::string rejected, unknown;
  size_t accepted = 0;
  for (size_t i = 0; i < read.events.size(); ++i) {
    const SegmentEvent& event = read.events[i];
    if (event.ok()) {
      ++accepted;
      if (!event.known) unknown += fmt::format("{}{}", unknown.empty() ? "" : ",", i);
      continue;
    }
    if (!rejected.empty()) rejected += ',';
    rejected += '{';
    AppendRejection(i, event, &rejected);
    rejected += ",\"errors\":[";
    for (const EventError& error : event.dead->errors) {
      if (rejected.back() != '[') rejected += ',';
      AppendErrorJson(error, &rejected);
    }
    rejected += "]}";
  }
  call.Json(fmt::format("{{\"success\":true,\"accepted\":{},\"rejected\":[{}],\"unknown\":[{}]}}", accepted, rejected, unknown));
}

}  // namespace attune
