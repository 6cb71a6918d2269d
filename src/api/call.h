// A request on its way through a resource, and what all resources answer with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Declares `struct Problem`, which the function of the same name in http/problem.h hides: so it comes first.
#include "plan/plan.h"

#include "http/problem.h"
#include "http/server.h"

namespace attune {

struct Call {
  Request request;
  Reply reply;
  std::vector<std::string> names{};  // the pieces of the path for the route's braces, decoded

  // A whole number of the query within [least, most]; `otherwise` when it is not given. nullopt: it is given and wrong,
  // and the request has been answered.
  std::optional<int64_t> Number(std::string_view parameter, int64_t otherwise, int64_t least, int64_t most);
  // Whether state includes the position that the client requires (Attune-Position). False: the request has been
  // answered. `durable` is the last durable record.
  bool CheckPosition(uint64_t durable);
  // Whether the client asks for text instead of JSON, by `Accept: text/plain`.
  bool PrefersText() const;
  // Answer 200.
  void Json(std::string body);
  void Text(std::string body);
};

inline constexpr const char* kJson = "application/json; charset=utf-8";
inline constexpr const char* kText = "text/plain; charset=utf-8";

Response MethodNotAllowed(std::string_view allowed);
// A refusal that says when to try again: in a second.
Response Later(Code code, std::string_view detail);

}  // namespace attune
