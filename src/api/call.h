// What the handlers of the API share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.h"
#include "dead_letter/letter_filter.h"
#include "ingest/body_encoding.h"

namespace attune {

// A request on its way through the API.
struct Api::Call {
  Request request;
  Reply reply;
  std::vector<std::string> names;  // what stands in the route's braces, decoded

  // A whole number of the query within [least, most]; `otherwise` when it is not given. nullopt: it is given and wrong,
  // and the request has been answered.
  std::optional<int64_t> Number(std::string_view parameter, int64_t otherwise, int64_t least, int64_t most);
  // Whether state includes the position that the client asks for (Attune-Position). False: answered.
  bool CheckPosition(uint64_t durable);
  // Which dead letters are asked for. nullopt: answered.
  std::optional<LetterFilter> Letters();
  void Json(std::string body);
};

inline constexpr const char* kJson = "application/json; charset=utf-8";
// The page loads from here alone and runs no inline script.
inline constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

// Calls `then` on a loop's thread once every shard has applied what was durable before this call, and fired what was due.
void AfterAllShards(Runtime* runtime, std::function<void()> then);

// Whether the pieces of a path fit a route's; what stands in its braces goes to `names`.
bool MatchesPath(std::string_view route, const std::vector<std::string>& pieces, std::vector<std::string>* names);
Response MethodNotAllowed(std::string_view allowed);
// A refusal that says when to try again.
Response Later(Code code, std::string_view detail);
Response RefusalProblem(const Refusal& refusal);
// 400 with each mistake's line and column; warnings are passed over. Requires a mistake.
Response ExpressionProblem(const std::vector<struct Problem>& problems);

}  // namespace attune
