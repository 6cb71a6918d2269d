// An event: an action of a user, or a fact about a user, in the form of every stage after ingest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "event/value.h"

namespace attune {

enum class EventKind : uint8_t {
  kTrack = 1,     // an action of the user (track, page, screen)
  kIdentify = 2,  // facts about the user: not part of the user's history
  kGroup = 3,
  kAlias = 4,
};

// The fields of an event that need no parsing of its JSON. Views are valid as long as the bytes they were read from.
struct EventHead {
  EventKind kind = EventKind::kTrack;
  std::string_view id;            // messageId
  std::string_view user;          // userId, else anonymousId
  std::string_view anonymous_id;  // as sent; may be empty. For an alias: previousId, else anonymousId
  std::string_view name;          // normalised; empty unless kind is kTrack
  Millis time = 0;                // event time, corrected for the client's clock
  Millis received = 0;
  bool clock_ignored = false;     // the client's clock was too far off to correct: `time` is `received`
};

// The bytes of one event in the log: the head, then the event's JSON exactly as sent. Grammar: u8 version (1 or 2), u8
// kind, in version 2 u8 marks, i64 time, i64 received, then id, user, anonymous_id, name and json, each preceded by its
// length as a varint. The only mark is 1, clock_ignored; an event without marks has version 1.
void EncodeEvent(const EventHead& head, std::string_view json, std::string* out);

struct EncodedEvent {
  EventHead head;
  std::string_view json;
};
// kCorrupt when the bytes are not what EncodeEvent writes.
Result<EncodedEvent> DecodeEvent(std::string_view bytes);

// The maximum nesting of an event's JSON; the event itself is the first level.
inline constexpr size_t kMaxEventDepth = 32;

enum class JsonKind : uint8_t { kMissing, kNull, kBool, kNumber, kString, kArray, kObject };

// "missing", "null", "boolean", "number", "string", "array", "object".
std::string_view JsonKindName(JsonKind kind);

struct JsonNode {
  JsonKind kind = JsonKind::kMissing;
  Value value;  // null unless a scalar or an array; an array keeps its scalar items
};

// The members of an event that the Segment spec defines.
enum class Member : uint8_t {
  kType,
  kEvent,
  kName,
  kUserId,
  kAnonymousId,
  kPreviousId,
  kGroupId,
  kMessageId,
  kTimestamp,
  kOriginalTimestamp,
  kSentAt,
  kReceivedAt,
  kWriteKey,
  kProperties,
  kTraits,
  kContext,
};
inline constexpr size_t kMembers = static_cast<size_t>(Member::kContext) + 1;
std::string_view MemberName(Member member);

// Parses the JSON of one event. Owns its buffers; reuse it for the next event.
//
// The last of an object's duplicate members counts, at every depth. The `name` of a page or screen event (one without
// `event`) reads as the property `name`, unless its properties have one. An empty array in place of an object (as PHP
// writes an empty map) counts as an empty object.
class EventReader {
 public:
  EventReader();
  ~EventReader();

  // Parses an event's JSON object. kInvalid with the byte offset when it is not one, or is nested deeper than
  // kMaxEventDepth. After a failure every member is missing.
  Status Open(std::string_view json);

  // The number of members of the event's largest object, and of items of its largest array.
  struct Widest {
    size_t members = 0;
    size_t items = 0;
  };
  Widest FindWidest() const;

  JsonNode Get(Member member) const;
  // A string unchanged; a number as its shortest decimal, integers with all their digits; otherwise empty. Valid until
  // the next Open.
  std::string_view Text(Member member);

  // The value at keys below `root` ("properties", "context", "traits"); null when missing, JSON null or an object. A
  // list keeps its scalar items. Valid until the next Open.
  Value Find(std::string_view root, const std::vector<std::string>& keys);

  // As Find, with the kind of the JSON there.
  JsonNode Look(std::string_view root, const std::vector<std::string>& keys);
  // The JSON at keys below `root`, reserialised (without blanks; numbers in their shortest form); empty when missing.
  std::string JsonOf(std::string_view root, const std::vector<std::string>& keys);
  std::string JsonOf(Member member) const;

  // Calls fn(dotted name, value, raw json) for every leaf below `root`, in the order sent. Recurses into objects; lists
  // and null are leaves.
  void ForEachLeaf(std::string_view root,
                   const std::function<void(std::string_view name, const Value& value, std::string_view json)>& fn);
  // Calls fn(name, value) for every member of the object at keys below `root`, in the order sent. Dots in names are
  // unchanged, and the value of a member that is an object is null.
  void ForEachMember(std::string_view root, const std::vector<std::string>& keys,
                     const std::function<void(std::string_view name, const Value& value)>& fn);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Parses a time as clients write it: RFC 3339 text, or a number (also as text) since the epoch in a unit derived from
// its size: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds. Milliseconds before 1973 and
// seconds after 5138 cannot be expressed as numbers. nullopt: not a time, or outside the years 0001 to 9999.
std::optional<Millis> ReadTimestamp(const Value& value);

}  // namespace attune
