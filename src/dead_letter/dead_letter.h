// What was refused, and why. Every reason is in the table of codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/code.h"
#include "base/limits.h"
#include "base/time.h"

namespace attune {

// A code that a dead letter can have.
using Reason = Code;

struct EventError {
  Reason reason = Reason::kInvalidJson;
  std::string field;   // `properties.price`; empty when it is about the whole event
  std::string detail;  // `expected number, found string "12,50"`
  std::string value_preview{};  // the wrong value's JSON, cut to kPreviewBytes; empty when there is none to show
};

// An event that was refused; or a whole request with events, when nothing in it could be taken.
struct DeadLetter {
  std::string source;              // `events.ndjson:17`, `/v1/batch[3]`
  std::vector<EventError> errors;  // at least one; the first is the one that is told where there is room for one
  std::string message_id;          // as sent; may be empty
  std::string event;               // the bytes as sent
  bool event_is_json = false;      // and nested no deeper than an event may be
  std::string name{};              // the event's, in one spelling; empty when that is not known
  std::optional<Millis> sent_at{};  // of the request, for an event that has none of its own

  // Of a request: `event` is its body as sent, cut to kLetterBodyBytes, and base64 when what is left is not UTF-8.
  struct Body {
    bool is_base64 = false;
    size_t original_bytes = 0;
    bool is_cut = false;
    std::string digest{};  // of path and whole body: a request that is sent again has the same
  };
  std::optional<Body> body{};

  const EventError& first() const { return errors.front(); }
};

// {"source","reason","field","detail","event"} on one line, without the newline. `field` is null when the first error
// is about the whole event; `event` is a JSON string (bytes that are not UTF-8 as U+FFFD) when it is not valid JSON,
// or nested too deep to be shown to a reader.
std::string ToNdjson(const DeadLetter& letter);

// Appends {"reason","field","detail"}, and "value_preview" where there is one.
void AppendErrorJson(const EventError& error, std::string* out);

// The letter of a request that was refused as a whole. `path` and `body` are as sent.
DeadLetter LetterOfRequest(std::string_view path, std::string_view body, Reason reason, std::string detail);

}  // namespace attune
