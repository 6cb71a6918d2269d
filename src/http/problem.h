// The format of every error answer: application/problem+json (RFC 9457).
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/code.h"
#include "base/json.h"
#include "http/message.h"

namespace attune {

// An additional member of the object, such as the limit that was exceeded.
struct ProblemField {
  std::string_view name;
  std::variant<std::string_view, int64_t, bool> value;
};

// {"type":"https://attune.invalid/problems/<code>","title":…,"status":…,"detail":…,"code":…, extra…}. Status and title
// are the code's (status 500 for a code of dead letters only). `detail` describes this occurrence and may contain any
// bytes from the client; an empty detail is omitted. With a 5xx status the detail is not for the client: it becomes
// Response::trouble.
Response Problem(Code code, std::string_view detail, const std::vector<ProblemField>& extra = {});

}  // namespace attune
