// Refused events and requests, with the reasons. All reasons are in the table of codes.
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
  std::string field;   // `properties.price`; empty if it concerns the whole event
  std::string detail;  // `expected number, found string "12,50"`
  std::string value_preview{};  // the wrong value's JSON, cut to kPreviewBytes; empty if there is none
};

// A refused event; or a whole request with events, if nothing in it could be read.
struct DeadLetter {
  std::string source;              // `events.ndjson:17`, `/v1/batch[3]`
  std::vector<EventError> errors;  // at least one; where only one fits, the first is shown
  std::string message_id;          // as sent; may be empty
  std::string event;               // the bytes as sent
  bool event_is_json = false;      // and not nested too deeply
  std::string name{};              // the event's normalised name; empty if unknown
  std::optional<Millis> sent_at{};  // of the request, for an event without its own

  // For a request: `event` is its body as sent, cut to kLetterBodyBytes; base64 if what remains is not UTF-8.
  struct Body {
    bool is_base64 = false;
    size_t original_bytes = 0;
    bool is_cut = false;
    std::string digest{};  // of path and whole body: equal for a request that is sent again
  };
  std::optional<Body> body{};

  const EventError& first() const { return errors.front(); }
};

// {"source","reason","field","detail","event"} on one line, without the newline. `field` is null if the first error
// concerns the whole event. `event` is a JSON string (invalid UTF-8 as U+FFFD) if it is not valid JSON or is nested too
// deeply.
std::string ToNdjson(const DeadLetter& letter);

// Appends {"reason","field","detail"}, and "value_preview" if there is one.
void AppendErrorJson(const EventError& error, std::string* out);

// The dead letter of a request that was refused as a whole. `path` and `body` are as sent.
DeadLetter LetterOfRequest(std::string_view path, std::string_view body, Reason reason, std::string detail);

}  // namespace attune
