// Segment's HTTP API, which RudderStack and others use too.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "ingest/protocol.h"
#include "plan/plan.h"

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

// The path of the dry run. Its body is a batch when it has a member `batch`, otherwise a single event with its `type`.
inline constexpr SegmentPath kValidatePath = {"/v1/events/validate", SegmentCall::kEither, ""};

// Null when the path is not in the table.
const SegmentPath* FindSegmentPath(std::string_view path);

// Reads requests of these paths. It ignores Content-Type and Content-Encoding: see DecodeBody.
//
// - The path of a single event says its type, whatever the body says. An event of a batch says its own.
// - A body that is not JSON is refused as a whole, with the place. So is a single event that is not an object.
// - An event that is JSON but cannot be taken (bad UTF-8, nested too deep, not an object, no user …) becomes a dead
// letter;
//   the other events of its batch are not affected.
// - `sentAt` of a batch counts for events that have none; without it, the header's. /v1/import brings a history
//   (Origin::history), whose times have the bounds of live ones; its parameter `oldest_event` moves the older bound.
// - `context` of a batch is merged into each event's own, member by member; the event's own members win (as with
//   Segment). Such an event's JSON is no longer byte for byte what was sent: the context's text is spliced in. In all
//   other cases the log keeps exactly the bytes of the event. A batch's `integrations` are ignored.
class SegmentReader : public ProtocolReader {
 public:
  // `plan` must outlive this.
  explicit SegmentReader(const Plan& plan, const IngestLimits& limits = {});
  ~SegmentReader() override;

  ParsedRequest Read(const ProtocolRequest& request) override;
  ParsedEvent ReadEvent(const KeptEvent& kept) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The answer is `{"success":true,"accepted":1,"rejected":[…]}`, and of a single event that was taken also its
// `messageId`.
class SegmentProtocol : public Protocol {
 public:
  // Those of kSegmentPaths, and kValidatePath.
  std::vector<ProtocolPath> paths() const override;
  std::unique_ptr<ProtocolReader> NewReader(const Plan& plan) const override;
  ProtocolAnswer Answer(std::string_view path, const std::vector<ParsedEvent>& events) const override;
};

}  // namespace attune
