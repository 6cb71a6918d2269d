// Segment's HTTP API, which RudderStack and others speak too: a body's bytes in, events for the log out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/event_record.h"
#include "ingest/body_encoding.h"
#include "ingest/tracking_plan.h"

namespace attune {

enum class SegmentCall : uint8_t { kTrack, kIdentify, kPage, kScreen, kGroup, kAlias, kBatch, kImport, kEither };

struct SegmentPath {
  std::string_view path;
  SegmentCall call;
  std::string_view type;  // of the event; empty for batches
};
inline constexpr SegmentPath kSegmentPaths[] = {
    {"/v1/track", SegmentCall::kTrack, "track"},
    {"/v1/t", SegmentCall::kTrack, "track"},
    {"/v1/identify", SegmentCall::kIdentify, "identify"},
    {"/v1/i", SegmentCall::kIdentify, "identify"},
    {"/v1/page", SegmentCall::kPage, "page"},
    {"/v1/p", SegmentCall::kPage, "page"},
    {"/v1/screen", SegmentCall::kScreen, "screen"},
    {"/v1/s", SegmentCall::kScreen, "screen"},
    {"/v1/group", SegmentCall::kGroup, "group"},
    {"/v1/g", SegmentCall::kGroup, "group"},
    {"/v1/alias", SegmentCall::kAlias, "alias"},
    {"/v1/a", SegmentCall::kAlias, "alias"},
    {"/v1/batch", SegmentCall::kBatch, ""},
    {"/v1/b", SegmentCall::kBatch, ""},
    {"/v1/import", SegmentCall::kImport, ""},
    {"/beacon/v1/batch", SegmentCall::kBatch, ""},
};

// The path of the dry run, whose body is a batch when it has a member `batch`, and else a single event with its `type`.
inline constexpr SegmentPath kValidatePath = {"/v1/events/validate", SegmentCall::kEither, ""};

// Null when the path is none of the table.
const SegmentPath* FindSegmentPath(std::string_view path);

// One event of a request: a record for the log, or a dead letter.
struct SegmentEvent {
  bool ok() const { return !dead.has_value(); }

  std::string message_id;  // as sent, or made; empty when a dead letter was sent without
  EventRecord record;
  bool known = false;      // the plan names this event
  std::optional<DeadLetter> dead;
};

struct SegmentRequest {
  bool ok() const { return !refusal.has_value(); }

  std::optional<Refusal> refusal;    // of the whole request; then there are no events
  std::vector<SegmentEvent> events;  // in the order sent
  std::string write_key;             // the body's `writeKey`; empty when it has none
};

// Holds buffers: one for each thread. The Content-Type is not asked, nor the Content-Encoding: see DecodeBody.
//
// - The path of a single event says its type, whatever the body says. An event of a batch says its own.
// - A body that is not JSON is refused as a whole, with the place. So is a single event that is no object.
// - An event that is JSON but cannot be taken (bad UTF-8, nested too deep, no object, no user …) becomes a dead letter;
//   its neighbours do not notice.
// - `sentAt` of a batch counts for events that have none. /v1/import brings a history (Origin::history), whose
//   times have the bounds of live ones.
// - `context` of a batch is merged into each event's own, member by member, the event's own members counting more (as
//   Segment does). Such an event's JSON is no longer byte for byte what was sent: the context's text is spliced in. In
//   all other cases the log keeps exactly the bytes of the event. A batch's `integrations` mean nothing here.
class SegmentReader {
 public:
  // `plan` must outlive this.
  explicit SegmentReader(const Plan& plan, const IngestLimits& limits = {});
  ~SegmentReader();

  struct Request {
    const SegmentPath* path = nullptr;
    std::string_view body;
    Millis received = 0;
    std::optional<Millis> sent_at;  // RudderStack's header `SentAt`; the body's counts more
    std::string_view id{};           // ids of events that have none begin with it; empty: they are made
    std::optional<Millis> oldest_event{};  // see Origin
  };
  SegmentRequest Read(const Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
