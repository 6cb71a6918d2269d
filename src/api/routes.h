// What the outside can ask of the server: the one table of routes, which /openapi.json publishes. The paths of wire
// protocols (src/ingest/protocol/) and the files of the page are beside it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

enum class Access : uint8_t {
  kOpen,
  kAnyKey,
  kApiKey,
  kOperator,  // an API key; no key on the listener for operations
};

struct Route {
  const char* method;
  const char* path;  // `{name}` stands for one piece
  Access access;
  const char* summary;
  const char* query;  // names of parameters, separated by spaces
  const char* content_type = "application/json";
};

std::span<const Route> Routes();

// Whether the decoded pieces of a path match a route's path; the pieces for its braces go to `names`.
bool MatchesPath(std::string_view route, const std::vector<std::string>& pieces, std::vector<std::string>* names);

}  // namespace attune
