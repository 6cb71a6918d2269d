#include "api/routes.h"

namespace attune {

std::span<const Route> Routes() {
  using A = Access;
  static constexpr Route kRoutes[] = {
      {"GET", "/user/{id}/behavior", A::kApiKey, "What is known of a user now", "limit"},
      {"GET", "/v1/users/{id}/behavior", A::kApiKey, "What is known of a user now", "limit"},
      {"GET", "/v1/users/{id}/explain", A::kApiKey, "Why an expression says what it says of a user",
       "segment expression at"},
      {"POST", "/v1/users/{id}/unmerge", A::kApiKey,
       "Make an id that was merged into another's history a user of its own again", ""},
      {"GET", "/v1/plan", A::kApiKey, "The plan, and how far a change to another has come", ""},
      {"PUT", "/v1/plan", A::kApiKey, "Change to another plan, built from the log in the background", "dry_run"},
      {"GET", "/v1/segments", A::kApiKey, "All segments with their sizes", ""},
      {"GET", "/v1/segments/{name}", A::kApiKey, "One segment: definition, size, and size over time", ""},
      {"GET", "/v1/segments/{name}/users", A::kApiKey, "The users in a segment, in pages", "limit cursor"},
      {"POST", "/v1/segments/preview", A::kApiKey,
       "Who would be in a segment if it were in the plan, over the stored history", ""},
      {"GET", "/v1/segments/preview/{id}", A::kApiKey, "How far a preview has come, and what it found", ""},
      {"DELETE", "/v1/segments/preview/{id}", A::kApiKey, "Ends and forgets a preview", ""},
      {"GET", "/v1/suggest", A::kApiKey, "Thresholds of a metric that tell who reaches a goal, over the stored history",
       "metric goal horizon at validate_at"},
      {"GET", "/v1/suggest/{id}", A::kApiKey, "How far a suggestion has come, and what it found", ""},
      {"DELETE", "/v1/suggest/{id}", A::kApiKey, "Ends and forgets a suggestion", ""},
      {"GET", "/v1/transitions", A::kApiKey, "The latest changes of membership, newest first", "limit"},
      {"GET", "/v1/firings", A::kApiKey, "The latest firings of triggers, newest first", "limit"},
      {"GET", "/v1/stream", A::kApiKey, "Changes and firings as they happen: server-sent events",
       "segment trigger user change type since", "text/event-stream"},
      {"POST", "/v1/events/validate", A::kAnyKey, "What would become of events if they were sent; nothing is stored",
       ""},
      {"GET", "/v1/dead-letters", A::kApiKey, "What was refused, newest first",
       "reason source event since until state limit cursor"},
      {"GET", "/v1/dead-letters/groups", A::kApiKey, "How many were refused, by reason, field and event",
       "reason source event since until state limit"},
      {"GET", "/v1/dead-letters/export", A::kApiKey, "All that were refused, one a line",
       "reason source event since until state", "application/x-ndjson"},
      {"POST", "/v1/dead-letters/replay", A::kApiKey, "Tries again, by the present plan, what was refused", ""},
      {"GET", "/v1/dead-letters/replay/{id}", A::kApiKey, "How far a replay has come, and what became of the letters",
       ""},
      {"DELETE", "/v1/dead-letters/replay/{id}", A::kApiKey, "Ends and forgets a replay; what it replayed stays", ""},
      {"GET", "/v1/dead-letters/{id}", A::kApiKey, "One of them", ""},
      {"GET", "/v1/status", A::kApiKey, "Counts since the start", ""},
      {"GET", "/v1/projects/{key}/settings", A::kOpen, "What Segment's browser library asks for first", ""},
      {"POST", "/v1/m", A::kOpen, "Metrics of client libraries; taken and forgotten", ""},
      {"GET", "/v1/errors", A::kOpen, "Every code of an answer or a dead letter", ""},
      {"GET", "/v1/limits", A::kOpen, "Every limit that a client can meet", ""},
      {"GET", "/healthz", A::kOpen, "The process answers", ""},
      {"GET", "/readyz", A::kOpen, "Events and questions are taken", ""},
      {"GET", "/metrics", A::kOperator, "Counts for Prometheus", ""},
      {"GET", "/openapi.json", A::kOpen, "This description", ""},
  };
  return kRoutes;
}

bool MatchesPath(std::string_view route, const std::vector<std::string>& pieces, std::vector<std::string>* names) {
  size_t i = 0;
  while (!route.empty()) {
    route.remove_prefix(1);  // the slash
    const std::string_view piece = route.substr(0, route.find('/'));
    route.remove_prefix(piece.size());
    if (i >= pieces.size()) return false;
    if (piece.starts_with('{')) {
      names->push_back(pieces[i]);
    } else if (piece != pieces[i]) {
      return false;
    }
    ++i;
  }
  return i == pieces.size();
}

}  // namespace attune
