// The table of routes, and what describes itself: OpenAPI, health, metrics.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "api/call.h"
#include "api/effect_stream.h"
#include "http/problem.h"

namespace attune {
namespace {

// A shard loop that has work to do moves many times a second.
constexpr std::chrono::seconds kStalledAfter(10);

}  // namespace

std::span<const Api::Route> Api::Routes() {
  using A = Access;
  static constexpr Route kRoutes[] = {
      {"GET", "/user/{id}/behavior", A::kApiKey, &Api::Behavior, "What is known of a user now", "limit"},
      {"GET", "/v1/users/{id}/behavior", A::kApiKey, &Api::Behavior, "What is known of a user now", "limit"},
      {"GET", "/v1/users/{id}/explain", A::kApiKey, &Api::Explain, "Why an expression says what it says of a user",
       "segment expression at"},
      {"POST", "/v1/users/{id}/unmerge", A::kApiKey, &Api::Unmerge,
       "Make an id that was merged into another's history a user of its own again", ""},
      {"GET", "/v1/plan", A::kApiKey, &Api::ShowPlan, "The plan, and how far a change to another has come", ""},
      {"PUT", "/v1/plan", A::kApiKey, &Api::PutPlan, "Change to another plan, built from the log in the background", "dry_run"},
      {"GET", "/v1/segments", A::kApiKey, &Api::ListSegments, "All segments with their sizes", ""},
      {"GET", "/v1/segments/{name}", A::kApiKey, &Api::ShowSegment, "One segment: definition, size, and size over time",
       ""},
      {"GET", "/v1/segments/{name}/users", A::kApiKey, &Api::ListMembers, "The users in a segment, in pages",
       "limit cursor"},
      {"POST", "/v1/segments/preview", A::kApiKey, &Api::PreviewSegment,
       "Who would be in a segment if it were in the plan, over the stored history", ""},
      {"GET", "/v1/segments/preview/{id}", A::kApiKey, &Api::ShowStudy, "How far a preview has come, and what it found", ""},
      {"DELETE", "/v1/segments/preview/{id}", A::kApiKey, &Api::CancelStudy, "Ends and forgets a preview", ""},
      {"GET", "/v1/suggest", A::kApiKey, &Api::Suggest,
       "Thresholds of a metric that tell who reaches a goal, over the stored history", "metric goal horizon at validate_at"},
      {"GET", "/v1/suggest/{id}", A::kApiKey, &Api::ShowStudy, "How far a suggestion has come, and what it found", ""},
      {"DELETE", "/v1/suggest/{id}", A::kApiKey, &Api::CancelStudy, "Ends and forgets a suggestion", ""},
      {"GET", "/v1/transitions", A::kApiKey, &Api::ListTransitions, "The latest changes of membership, newest first",
       "limit"},
      {"GET", "/v1/firings", A::kApiKey, &Api::ListFirings, "The latest firings of triggers, newest first", "limit"},
      {"GET", "/v1/stream", A::kApiKey, &Api::Stream, "Changes and firings as they happen: server-sent events",
       "segment trigger user change type since", "text/event-stream"},
      {"POST", "/v1/events/validate", A::kAnyKey, &Api::Validate, "What would become of events if they were sent; nothing is stored", ""},
      {"GET", "/v1/dead-letters", A::kApiKey, &Api::ListDeadLetters, "What was refused, newest first",
       "reason source event since until state limit cursor"},
      {"GET", "/v1/dead-letters/groups", A::kApiKey, &Api::GroupDeadLetters, "How many were refused, by reason, field and event",
       "reason source event since until state limit"},
      {"GET", "/v1/dead-letters/export", A::kApiKey, &Api::ExportDeadLetters, "All that were refused, one a line",
       "reason source event since until state", "application/x-ndjson"},
      {"POST", "/v1/dead-letters/replay", A::kApiKey, &Api::ReplayDeadLetters, "Tries again, by the present plan, what was refused", ""},
      {"GET", "/v1/dead-letters/replay/{id}", A::kApiKey, &Api::ShowStudy, "How far a replay has come, and what became of the letters", ""},
      {"DELETE", "/v1/dead-letters/replay/{id}", A::kApiKey, &Api::CancelStudy, "Ends and forgets a replay; what it replayed stays", ""},
      {"GET", "/v1/dead-letters/{id}", A::kApiKey, &Api::ShowDeadLetter, "One of them", ""},
      {"GET", "/v1/status", A::kApiKey, &Api::ShowStatus, "Counts since the start", ""},
      {"GET", "/v1/projects/{key}/settings", A::kOpen, &Api::Settings, "What Segment's browser library asks for first",
       ""},
      {"POST", "/v1/m", A::kOpen, &Api::LibraryMetrics, "Metrics of client libraries; taken and forgotten", ""},
      {"GET", "/v1/errors", A::kOpen, &Api::ListErrors, "Every code of an answer or a dead letter", ""},
      {"GET", "/v1/limits", A::kOpen, &Api::ShowLimits, "Every limit that a client can meet", ""},
      {"GET", "/healthz", A::kOpen, &Api::Health, "The process answers", ""},
      {"GET", "/readyz", A::kOpen, &Api::Ready, "Events and questions are taken", ""},
      {"GET", "/metrics", A::kOpen, &Api::Metrics, "Counts for Prometheus", ""},
      {"GET", "/openapi.json", A::kOpen, &Api::OpenApi, "This description", ""},
  };
  return kRoutes;
}

namespace {

nlohmann::json Parameters(const Api::Route& route) {
  auto list = nlohmann::json::array();
  std::string_view path = route.path;
  for (size_t open = path.find('{'); open != std::string_view::npos; open = path.find('{', open + 1)) {
    const std::string name(path.substr(open + 1, path.find('}', open) - open - 1));
    list.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  std::string_view query = route.query;
  while (!query.empty()) {
    const std::string name(query.substr(0, query.find(' ')));
    const char* type = name == "limit" ? "integer" : "string";
    list.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", type}}}});
    query.remove_prefix(std::min(query.size(), name.size() + 1));
  }
  return list;
}

// What a route takes; null: nothing.
nlohmann::json BodyOf(const Api::Route& route) {
  const nlohmann::json text = {{"type", "string"}};
  const std::string_view path = route.path;
  if (path == "/v1/events/validate") return {{"type", "object"}};
  if (path == "/v1/dead-letters/replay" && route.method == std::string_view("POST")) {
    nlohmann::json filter = {{"type", "object"}, {"properties", nlohmann::json::object()}, {"additionalProperties", false}};
    std::string_view names = LetterFilter::kParameters;
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find(' ')));
      filter["properties"][name] = text;
      names.remove_prefix(std::min(names.size(), name.size() + 1));
    }
    return {{"type", "object"},
            {"required", {"filter"}},
            {"properties", {{"filter", filter}, {"dry_run", {{"type", "boolean"}}}, {"oldest_event", text}}},
            {"additionalProperties", false}};
  }
  if (path != "/v1/segments/preview") return nullptr;
  return {{"type", "object"},
          {"required", {"when"}},
          {"properties", {{"when", text}, {"segment", text}, {"sample", {{"type", "integer"}, {"minimum", 0}, {"maximum", 1000}}}}},
          {"additionalProperties", false}};
}

// Whether a route's answer is a study's, which can be asked for later.
bool BeginsStudy(const Api::Route& route) {
  const std::string_view path = route.path;
  return path == "/v1/segments/preview" || path == "/v1/suggest" || path == "/v1/dead-letters/replay";
}

nlohmann::json Answers(bool guarded, const std::string& content_type = "application/json") {
  const nlohmann::json problem = {
      {"description", "Refused, with the reason"},
      {"content", {{"application/problem+json", {{"schema", {{"$ref", "#/components/schemas/Problem"}}}}}}}};
  nlohmann::json answers = {
      {"200",
       {{"description", "Done"},
        {"content", {{content_type, {{"schema", {{"type", content_type == "application/json" ? "object" : "string"}}}}}}}}},
      {"400", problem}};
  if (guarded) {
    for (const char* code : {"401", "403", "404"}) answers[code] = problem;
  }
  return answers;
}

nlohmann::json Collector(const SegmentPath& path) {
  nlohmann::json answers = Answers(false);
  for (const char* code : {"401", "413", "429", "503"}) answers[code] = answers["400"];
  const std::string what =
      path.type.empty() ? std::string("Takes a batch of events") : "Takes one " + std::string(path.type) + " event";
  nlohmann::json operation = {
      {"summary", what},
      {"security", nlohmann::json::array({{{"writeKey", nlohmann::json::array()}}})},
      {"requestBody", {{"required", true}, {"content", {{"application/json", {{"schema", {{"type", "object"}}}}}}}}},
      {"responses", answers}};
  if (path.call == SegmentCall::kImport) {
    operation["parameters"] = nlohmann::json::array({{{"name", "oldest_event"}, {"in", "query"}, {"schema", {{"type", "string"}}}}});
  }
  return operation;
}

}  // namespace

void Api::OpenApi(Call call) {
  nlohmann::json paths = nlohmann::json::object();
  for (const Route& route : Routes()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    nlohmann::json operation = {{"summary", route.summary}, {"responses", Answers(route.access != Access::kOpen, route.content_type)}};
    if (const auto parameters = Parameters(route); !parameters.empty()) operation["parameters"] = parameters;
    if (const auto body = BodyOf(route); !body.is_null()) {
      operation["requestBody"] = {{"required", true}, {"content", {{"application/json", {{"schema", body}}}}}};
    }
    if (method == "delete") {
      operation["responses"]["204"] = {{"description", "Done"}};
      operation["responses"].erase("200");
    }
    if (BeginsStudy(route)) {
      operation["responses"]["202"] = {{"description", "Begun, as the header Prefer: respond-async asks; Location says where to look"}};
      for (const char* code : {"422", "429", "503"}) operation["responses"][code] = operation["responses"]["400"];
    }
    if (route.access == Access::kApiKey) {
      operation["security"] = nlohmann::json::array({{{"apiKey", nlohmann::json::array()}}});
    } else if (route.access == Access::kAnyKey) {
      operation["security"] = nlohmann::json::array({{{"writeKey", nlohmann::json::array()}}, {{"apiKey", nlohmann::json::array()}}});
      for (const char* code : {"413", "429"}) operation["responses"][code] = operation["responses"]["400"];
    }
    paths[route.path][method] = std::move(operation);
  }
  for (const SegmentPath& path : kSegmentPaths) paths[std::string(path.path)]["post"] = Collector(path);
  const nlohmann::json document = {
      {"openapi", "3.1.0"},
      {"info",
       {{"title", "attune"}, {"version", "1"}, {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"paths", paths},
      {"components",
       {{"securitySchemes",
         {{"apiKey", {{"type", "http"}, {"scheme", "bearer"}}}, {"writeKey", {{"type", "http"}, {"scheme", "basic"}}}}},
        {"schemas",
         {{"Problem",
           {{"type", "object"},
            {"required", {"type", "title", "status", "code"}},
            {"properties",
             {{"type", {{"type", "string"}}},
              {"title", {{"type", "string"}}},
              {"status", {{"type", "integer"}}},
              {"detail", {{"type", "string"}}},
              {"code", {{"type", "string"}}}}}}}}}}}};
  call.Json(document.dump(2));
}

void Api::Health(Call call) { call.Json("{\"status\":\"ok\"}"); }

void Api::Ready(Call call) {
  if (draining_) return call.reply.Send(Problem(Code::kDraining, "the server is shutting down"));
  if (const Status failure = runtime_.failure(); !failure.ok()) {
    return call.reply.Send(Problem(Code::kStorageFailed, "the disk has failed: " + failure.error().message));
  }
  const auto stalled = std::chrono::duration_cast<std::chrono::seconds>(runtime_.stalled());
  if (stalled >= kStalledAfter) {
    return call.reply.Send(Problem(Code::kOverloaded, fmt::format("a shard loop has not moved for {} s though it has work to do", stalled.count())));
  }
  call.Json("{\"status\":\"ready\"}");
}

void Api::Settings(Call call) {
  const nlohmann::json settings = {{"integrations", {{"Segment.io", {{"apiKey", call.names[0]}}}}}};
  Response response{200, kJson, {}, settings.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  call.reply.Send(std::move(response));
}

void Api::LibraryMetrics(Call call) {
  Response response{200, kJson, {{"Access-Control-Allow-Origin", "*"}}, "{\"success\":true}"};
  call.reply.Send(std::move(response));
}

namespace {

uint64_t Microseconds(std::chrono::nanoseconds time) { return static_cast<uint64_t>(time.count() / 1000); }

int64_t UptimeMs(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count();
}

}  // namespace

void Api::ShowStatus(Call call) {
  const RuntimeStats& stats = runtime_.stats();
  call.Json(
      fmt::format("{{\"events\":{},\"late\":{},\"duplicates\":{},\"dead_letters\":{},\"users\":{},\"transitions\":{},"
                  "\"position\":{},\"uptime_ms\":{},\"demo\":{}}}",
                  stats.events.load(), stats.late.load(), stats.duplicates.load(), stats.dead_letters.load(),
                  stats.users.load(), stats.transitions.load(), runtime_.durable_sequence(), UptimeMs(began_),
                  options_.status_note.empty() ? "null" : options_.status_note));
}

void Api::Metrics(Call call) {
  const RuntimeStats& stats = runtime_.stats();
  const Meeting& meeting = runtime_.meeting();
  struct Figure {
    const char* name;
    const char* type;
    const char* help;
    uint64_t value;
  };
  const Figure figures[] = {
      {"attune_events_accepted_total", "counter", "Events answered as accepted", accepted_},
      {"attune_events_rejected_total", "counter", "Events that became dead letters", rejected_},
      {"attune_dead_letters_dropped_total", "counter", "Dead letters that went for others", dead_letters_.dropped()},
      {"attune_dead_letters_kept", "gauge", "Dead letters in the store", dead_letters_.letters()},
      {"attune_dead_letters_kept_bytes", "gauge", "What they take", dead_letters_.bytes()},
      {"attune_events_applied_total", "counter", "Events taken into state, duplicates included", stats.events},
      {"attune_events_late_total", "counter", "Events that came after a later one of their user", stats.late},
      {"attune_events_duplicate_total", "counter", "Events dropped as duplicates", stats.duplicates},
      {"attune_transitions_total", "counter", "Changes of membership", stats.transitions},
      {"attune_firings_total", "counter", "Triggers that fired", stats.firings},
      {"attune_ticks_total", "counter", "Ticks logged to fire timers", stats.ticks},
      {"attune_timer_entries", "gauge", "Entries of the timer queues, at most about two for each user with a timer", stats.timers},
      {"attune_snapshots_total", "counter", "Snapshots of a shard", stats.snapshots},
      {"attune_rebuilds_total", "counter", "People whose state was rebuilt after a merge or the undoing of one", stats.rebuilds},
      {"attune_rebuilt_records_total", "counter", "Records that were applied once more for these", stats.rebuilt_records},
      {"attune_meetings_total", "counter", "Records at which all shard loops met", meeting.held()},
      {"attune_meeting_longest_hold_microseconds", "gauge", "The longest that all shard loops stood still at one", Microseconds(meeting.longest_hold())},
      {"attune_meeting_longest_wait_microseconds", "gauge", "The longest that one shard loop waited there for the others", Microseconds(meeting.longest_wait())},
      {"attune_loop_stalled_milliseconds", "gauge", "How long the slowest shard loop has not moved though it has work to do", Microseconds(runtime_.stalled()) / 1000},
      {"attune_users", "gauge", "Users known", stats.users},
      {"attune_outbox_effects", "gauge", "Changes and firings that are kept", runtime_.outbox().effects()},
      {"attune_stream_clients", "gauge", "Clients that listen to the stream", stream_->subscribers()},
      {"attune_stream_clients_cut_total", "counter", "Clients cut off for reading too slowly", stream_->cut()},
      {"attune_log_position", "gauge", "The last durable record", runtime_.durable_sequence()},
      {"attune_log_pending_bytes", "gauge", "Appended and not yet durable", runtime_.log_pending_bytes()},
      {"attune_storage_full", "gauge", "1 while the disk takes nothing more", runtime_.storage_full()},
      {"attune_clock_leap_seconds", "gauge", "How far the wall clock leapt and is not followed", static_cast<uint64_t>(std::abs(runtime_.clock_leap()) / 1000)},
      {"attune_uptime_seconds", "gauge", "Since the start", static_cast<uint64_t>(UptimeMs(began_) / 1000)},
  };
  std::string text;
  for (const Figure& f : figures) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", f.name, f.help, f.type, f.value);
  }
  text += "# HELP attune_requests_refused_total Requests that were refused, by code\n# TYPE attune_requests_refused_total counter\n";
  for (const CodeInfo& info : kCodes) {
    if (info.status != 0) text += fmt::format("attune_requests_refused_total{{code=\"{}\"}} {}\n", info.text, refused_.of(info.code));
  }
  text += "# HELP attune_dead_letters_total Dead letters, by reason\n# TYPE attune_dead_letters_total counter\n";
  for (const CodeInfo& info : kCodes) {
    if (info.is_reason) text += fmt::format("attune_dead_letters_total{{reason=\"{}\"}} {}\n", info.text, letters_.of(info.code));
  }
  const auto plan_state = runtime_.plan_state();
  const Program& program = plan_state->program();
  text += "# HELP attune_segment_users Users who hold a segment\n# TYPE attune_segment_users gauge\n";
  for (size_t i = 0; i < program.plan->segments.size(); ++i) {
    text += fmt::format("attune_segment_users{{segment=\"{}\"}} {}\n", program.plan->segments[i].name,
                        plan_state->SegmentSize(program.condition_of_segment[i]));
  }
  call.reply.Send({200, "text/plain; version=0.0.4; charset=utf-8", {{"Cache-Control", "no-store"}}, std::move(text)});
}

}  // namespace attune
