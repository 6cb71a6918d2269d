// The one shape of an error answer: application/problem+json (RFC 9457).
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/code.h"
#include "base/json.h"
#include "http/message.h"

namespace attune {

// A further member of the object, such as the limit that was met.
struct ProblemField {
  std::string_view name;
  std::variant<std::string_view, int64_t, bool> value;
};

// {"type":"https://attune.invalid/problems/<code>","title":…,"status":…,"detail":…,"code":…,
// extra…}. Status and title are the code's (of one that is of dead letters alone: 500); `detail` says what was wrong this
// time and may hold any bytes of the client's. An empty detail is left out. With a status of 5xx it is not the client's
// business, and becomes Response::trouble.
Response Problem(Code code, std::string_view detail, const std::vector<ProblemField>& extra = {});

}  // namespace attune
