// The bytes of a request's body as they were before compression, decided by the bytes alone: clients that compress do
// not always say so, and some that say so do not.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "dead_letter/dead_letter.h"

namespace attune {

// Why a whole request was refused; nothing of it is stored.
struct Refusal {
  Reason reason = Reason::kInvalidJson;
  std::string detail;
  // Of invalid JSON: the byte, and the line and column (in characters, from 1) in the decompressed body.
  size_t offset = 0;
  size_t line = 0;
  size_t column = 0;
  // Of a limit that was met.
  size_t limit = 0;
  size_t actual = 0;
};

// gzip (1f 8b) and zlib (78 ..) are undone, into `buffer`; all else is taken as it is, without a byte order mark. One
// member, and nothing after it; inflated in pieces, so that a bomb costs no more than the limit. On success `*text`
// views `body` or `buffer`.
std::optional<Refusal> DecodeBody(std::string_view body, const IngestLimits& limits, std::string* buffer,
                                  std::string_view* text);

}  // namespace attune
