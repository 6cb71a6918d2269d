// An event: what a user did, or a fact about her, as every stage after ingest sees it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "event/value.h"

namespace attune {

enum class EventKind : uint8_t {
  kTrack = 1,     // something the user did (track, page, screen)
  kIdentify = 2,  // facts about the user: not an event of her history
  kGroup = 3,
  kAlias = 4,
};

// What is known of an event without opening its JSON. Views live as long as the bytes they were read from.
struct EventHead {
  EventKind kind = EventKind::kTrack;
  std::string_view id;            // messageId
  std::string_view user;          // userId, else anonymousId
  std::string_view anonymous_id;  // as sent; may be empty
  std::string_view name;          // normalised; empty unless kind is kTrack
  Millis time = 0;                // event time, corrected for the client's clock
  Millis received = 0;
};

// The bytes of one event as the log keeps them: the head, then the event's JSON exactly as it was sent.
// Grammar: u8 version (1), u8 kind, i64 time, i64 received, then id, user, anonymous_id, name and json, each with a
// varint length before it.
void EncodeEvent(const EventHead& head, std::string_view json, std::string* out);

struct EncodedEvent {
  EventHead head;
  std::string_view json;
};
// kCorrupt when the bytes are not what EncodeEvent writes.
Result<EncodedEvent> DecodeEvent(std::string_view bytes);

// The JSON of one event, opened for reading. Holds its own buffers and may be used again for the next event.
class EventReader {
 public:
  EventReader();
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  // Opens an event's JSON object. kInvalid with the byte offset when it is not one.
  Status Open(std::string_view json);

  // The value at keys below `root` ("properties", "context", "traits"); null when missing, JSON null or an object.
  // A list keeps its scalar items. The value lives until the next Open.
  Value Find(std::string_view root, const std::vector<std::string>& keys);

  // Calls fn(dotted name, value, raw json) for every leaf below `root`, in the order sent; objects are walked into,
  // lists are leaves.
  void ForEachLeaf(std::string_view root,
                   const std::function<void(std::string_view name, const Value& value, std::string_view json)>& fn);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
