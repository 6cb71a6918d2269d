// The HTTP API: requests in, calls to the runtime, answers out. docs/http.md and /openapi.json say what there is; both
// follow the table in routes.cc.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "access/keys.h"
#include "access/rate_limits.h"
#include "api/refusals.h"
#include "api/background_responder.h"
#include "api/studies.h"
#include "dead_letter/dead_letters.h"
#include "http/server.h"
#include "ingest/protocol/segment.h"
#include "shard/runtime.h"

namespace attune {

// A file that is served as it is: the page.
struct Asset {
  std::string path;
  std::string content_type;
  std::string body;
};

class EffectStream;

struct ApiOptions {
  std::vector<Asset> assets;
  std::string plan_path;    // where PUT /v1/plan writes: a file, or a folder that it refuses to
  std::string status_note;  // a JSON value that /v1/status shows as `demo`
  RateOptions rates;
  HttpLimits http_limits;  // the server's, to be told
};

// Threads: Handle may be called from any thread, as the server does.
enum class Access : uint8_t { kOpen, kAnyKey, kApiKey };

class Api {
 public:
  // All must outlive the Api, and the Api the server.
  Api(Runtime* runtime, const Keys* keys, DeadLetters* dead_letters, ApiOptions options);
  ~Api();

  void Handle(Request request, Reply reply);
  // As it stands in the table, with its braces; empty: none. What a RouteName is.
  static std::string_view RouteOf(const Request& request);
  // From now on events and questions are refused with 503, and /readyz says so: the process ends.
  // Studies are cancelled.
  void Drain() {
    draining_ = true;
    studies_.Stop();
    background_.Stop();
  }

  struct Route;
  // The table; for /openapi.json, docs and tests.
  static std::span<const Route> Routes();

 private:
  struct Call;  // a request on its way: the pieces of its path, its reply

  // What reads events for the calling thread, by the present plan.
  SegmentReader& Reader();
  // Who sends events, and whether it may now.
  struct Sender;
  bool MaySend(Sender* sender, const Request& request, std::string_view key);
  void Collect(const SegmentPath& path, Request request, Reply reply);
  void Preflight(const Request& request, Reply reply);
  void LogAccepted(std::vector<SegmentEvent> events, bool single, std::string origin, Millis received, Reply reply);
  // Answers a request of which nothing could be taken; keeps it first.
  void Refuse(const SegmentPath& path, const Refusal& refusal, const Request& request, const Sender& sender, Millis received, std::string origin, Reply reply);
  // The problem, counted.
  Response Refused(Code code, Response response);
  Response NotDurable(const Error& error, std::string_view origin);
  Response NotTaken(const Error& error, std::string_view origin);
  bool MayAsk(const Request& request, Access access, Reply* reply) const;

  void Behavior(Call call);
  void Explain(Call call);
  void Unmerge(Call call);
  void ShowPlan(Call call);
  void PutPlan(Call call);
  void ReplacePlan(Call& call);
  void ListSegments(Call call);
  void ShowSegment(Call call);
  void ListMembers(Call call);
  void PreviewSegment(Call call);
  void Suggest(Call call);
  // Answers the call with what a study finds: when it is done, or, if the client prefers that, by where to look for it.
  void BeginStudy(Call call, Studies::Work work);
  void ShowStudy(Call call);
  // Does the work once the shards have applied what is durable by now.
  void AnswerInBackground(std::shared_ptr<Call> call, BackgroundResponder::Work work);
  void CancelStudy(Call call);
  void ListTransitions(Call call);
  void ListFirings(Call call);
  void ListEffects(Call call, bool firings);
  void Stream(Call call);
  void Validate(Call call);
  void ListDeadLetters(Call call);
  void GroupDeadLetters(Call call);
  void ExportDeadLetters(Call call);
  void ShowDeadLetter(Call call);
  void ReplayDeadLetters(Call call);
  void ListErrors(Call call);
  void ShowLimits(Call call);
  void ShowStatus(Call call);
  void Health(Call call);
  void Ready(Call call);
  void Metrics(Call call);
  void OpenApi(Call call);
  void Settings(Call call);
  void LibraryMetrics(Call call);

  const uint64_t number_;  // no two in a process are the same
  Runtime& runtime_;
  const Keys& keys_;
  DeadLetters& dead_letters_;
  const std::unique_ptr<EffectStream> stream_;
  const ApiOptions options_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> draining_{false};
  std::atomic<uint64_t> accepted_{0};
  std::atomic<uint64_t> rejected_{0};
  RateLimits rates_;
  Refusals refusals_;
  CodeCounts refused_;  // requests
  CodeCounts letters_;  // dead letters
  BackgroundResponder background_;
  Studies studies_;
};

struct Api::Route {
  const char* method;
  const char* path;  // `{name}` stands for one piece
  Access access;
  void (Api::*handle)(Call);
  const char* summary;
  const char* query;  // names of parameters, parted by spaces
  const char* content_type = "application/json";
};

}  // namespace attune
