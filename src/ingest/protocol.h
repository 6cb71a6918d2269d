// The interface of a wire protocol: the bytes of a request in, events and the answer out. Each protocol is one file of
// ingest/protocol/; src/server/service.cc lists those that are served.
//
// The collector does what all protocols share: keys, rates, the log, and the answer to a request that is refused, which
// has one form for all (clients decide by its status). Dead letters are replayed through the same interface.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "dead_letter/dead_letter.h"
#include "event/event_record.h"
#include "ingest/body_encoding.h"
#include "plan/plan.h"

namespace attune {

// A path that a protocol serves.
struct ProtocolPath {
  std::string_view path;        // without escapes; lives as long as the process
  std::string summary;          // for /openapi.json
  std::string_view query = "";  // names of the parameters that the protocol reads, separated by spaces
  // A request to it is read and answered, and nothing is stored. Such a path is a row of the API's own table.
  bool is_dry_run = false;
};

// Views live during the call.
struct ProtocolRequest {
  std::string_view path;  // one of the protocol's
  std::string_view body;  // as sent, not decompressed
  Millis received = 0;
  std::optional<Millis> sent_at{};       // of the header `SentAt`
  std::string_view id{};                 // ids of events that have none begin with it; empty: they are made
  std::optional<Millis> oldest_event{};  // see Origin
  std::string_view query{};              // as sent, without the '?'
};

// One event of an earlier request, as its dead letter kept it. Views live during the call.
struct KeptEvent {
  std::string_view path;    // of the request
  std::string_view source;  // the path, and of a batch the place: `/v1/batch[3]`
  std::string_view json;    // as sent
  Millis received = 0;
  std::optional<Millis> sent_at{};
  std::string_view id{};                 // its id when it has none of its own
  std::optional<Millis> oldest_event{};  // see Origin
};

// One event of a request: a record for the log, or a dead letter.
struct ParsedEvent {
  bool ok() const { return !dead.has_value(); }

  std::string message_id;  // as sent, or made; empty when a dead letter was sent without
  EventRecord record;      // empty for a dead letter
  bool known = false;      // the plan names this event
  bool dropped = false;    // a stage (ingest/event_stage.h) let it not pass: it is not logged
  std::optional<DeadLetter> dead;
};

struct ParsedRequest {
  bool ok() const { return !refusal.has_value(); }

  std::optional<Refusal> refusal;   // of the whole request; then there are no events
  std::vector<ParsedEvent> events;  // in the order sent
  std::string write_key;            // the one in the body; empty when it has none
};

// The body of an answer 200.
struct ProtocolAnswer {
  std::string content_type;
  std::string body;
};

// Reads requests by one plan. Holds buffers: one for each thread.
class ProtocolReader {
 public:
  virtual ~ProtocolReader() = default;

  // The body's key is read also when the request is refused. A refusal with a code that is not a dead letter's reason
  // is about the parameters, and the request is not kept.
  virtual ParsedRequest Read(const ProtocolRequest& request) = 0;
  virtual ParsedEvent ReadEvent(const KeptEvent& event) = 0;
};

// Immutable; any thread.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // No two protocols have the same path.
  virtual std::vector<ProtocolPath> paths() const = 0;
  // `plan` must outlive the reader.
  virtual std::unique_ptr<ProtocolReader> NewReader(const Plan& plan) const = 0;
  // The answer to a request that was not refused; it is sent once what is logged of it is durable. `path` is one of
  // paths().
  virtual ProtocolAnswer Answer(std::string_view path, const std::vector<ParsedEvent>& events) const = 0;
};

}  // namespace attune
