// What the types of log records mean.
#pragma once

#include <cstdint>

namespace attune {

enum class RecordType : uint8_t {
  kEvent = 1,       // EncodeEvent; of the shard of its user
  kTick = 2,        // i64: the instant that the shard's clock has passed
  kDeadLetter = 3,  // one JSON object, see docs/http.md
  kLinking = 4,     // EncodeEvent of an identify or alias that may make two ids one person's: all loops look at it
  kLinked = 5,      // EncodeEvent of an id that may lead to another: of the shard of whom it leads to
  kUndoMerge = 6,   // i64 the instant, then an id with its length as a varint: it is a person of its own again
  kPlan = 7,        // u64 a token, i64 the instant, u64 the fingerprint: from here on another plan holds
  kReplayed = 8,    // u64 the first record of a dead letter, which has become the event in the record before this one
};

// Whether an event or a change of ids concerns the shard that the ids lead to, which its header does not say.
constexpr bool IsOfAnyShard(uint8_t type) {
  return type == static_cast<uint8_t>(RecordType::kLinking) || type == static_cast<uint8_t>(RecordType::kLinked) ||
         type == static_cast<uint8_t>(RecordType::kUndoMerge);
}

// Whether the payload is an event.
constexpr bool HoldsEvent(uint8_t type) {
  return type == static_cast<uint8_t>(RecordType::kEvent) || type == static_cast<uint8_t>(RecordType::kLinking) ||
         type == static_cast<uint8_t>(RecordType::kLinked);
}

}  // namespace attune
