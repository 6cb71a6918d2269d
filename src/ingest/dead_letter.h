// What was refused, and why. Every reason is in the one table below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

enum class Reason : uint8_t {
  // An event.
  kInvalidJson,
  kNotAnObject,
  kInvalidEncoding,
  kNumberOutOfRange,
  kTooDeep,
  kTooManyMembers,
  kEventTooLarge,
  kUnknownType,
  kMissingField,
  kInvalidField,
  kIdentityMissing,
  kIdentityPlaceholder,
  kTimestampMissing,
  kInvalidTimestamp,
  kTimestampOutOfRange,
  kUnknownEvent,
  kMissingProperty,
  kInvalidProperty,
  // A line of a history file.
  kInvalidLine,
  kLineTooLong,
  // A whole request.
  kBodyEmpty,
  kBodyTooLarge,
  kBadCompression,
  kNoBatch,
  kBatchTooLong,
};

struct ReasonInfo {
  Reason reason;
  std::string_view code;  // stable; in dead letters, answers and metrics
  std::string_view meaning;
};

inline constexpr ReasonInfo kReasons[] = {
    {Reason::kInvalidJson, "invalid_json", "the text is not JSON"},
    {Reason::kNotAnObject, "not_an_object", "the text is JSON, but no object"},
    {Reason::kInvalidEncoding, "invalid_encoding", "bytes that are not UTF-8, or half a surrogate pair"},
    {Reason::kNumberOutOfRange, "number_out_of_range", "a number that neither a double nor a 64-bit integer holds"},
    {Reason::kTooDeep, "too_deep", "objects and arrays nested deeper than 32"},
    {Reason::kTooManyMembers, "too_many_members", "an object with more than 1,000 members, or an array with more than 4,000 items"},
    {Reason::kEventTooLarge, "event_too_large", "the event's JSON is longer than 32 KiB"},
    {Reason::kUnknownType, "unknown_type", "type is not track, identify, page, screen, group or alias"},
    {Reason::kMissingField, "missing_field", "a field that this type of event needs is missing"},
    {Reason::kInvalidField, "invalid_field", "a field of the event has the wrong type or is too long"},
    {Reason::kIdentityMissing, "identity_missing", "neither userId nor anonymousId"},
    {Reason::kIdentityPlaceholder, "identity_placeholder", "an id that stands for nobody, such as \"null\""},
    {Reason::kTimestampMissing, "timestamp_missing", "an event of a history does not say when it happened"},
    {Reason::kInvalidTimestamp, "invalid_timestamp", "the time is neither RFC 3339 nor a number since the epoch"},
    {Reason::kTimestampOutOfRange, "timestamp_out_of_range", "the time is more than 24 hours in the future"},
    {Reason::kUnknownEvent, "unknown_event", "the plan does not name this event, and refuses those it does not name"},
    {Reason::kMissingProperty, "missing_property", "a property that the plan requires is missing or null"},
    {Reason::kInvalidProperty, "invalid_property", "a property is not of the type that the plan gives it"},
    {Reason::kInvalidLine, "invalid_line", "a line of a history file does not fit its mapping"},
    {Reason::kLineTooLong, "line_too_long", "a line of a history file is longer than 4 MiB"},
    {Reason::kBodyEmpty, "body_empty", "the request has no body"},
    {Reason::kBodyTooLarge, "body_too_large", "the body is larger than 4 MiB after decompression"},
    {Reason::kBadCompression, "bad_compression", "the compressed body is damaged, or grows more than 200 times"},
    {Reason::kNoBatch, "no_batch", "the body has no array `batch`"},
    {Reason::kBatchTooLong, "batch_too_long", "the batch has more than 1,000 events"},
};
inline constexpr size_t kReasonCount = std::size(kReasons);

constexpr const ReasonInfo& InfoOf(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }
constexpr std::string_view CodeOf(Reason reason) { return InfoOf(reason).code; }

struct EventError {
  Reason reason = Reason::kInvalidJson;
  std::string field;   // `properties.price`; empty when it is about the whole event
  std::string detail;  // `expected number, found string "12,50"`
};

// An event that was refused.
struct DeadLetter {
  std::string source;              // `events.ndjson:17`, `/v1/batch[3]`
  std::vector<EventError> errors;  // at least one; the first is the one that is told where there is room for one
  std::string message_id;          // as sent; may be empty
  std::string event;               // the bytes as sent
  bool event_is_json = false;      // and nested no deeper than an event may be

  const EventError& first() const { return errors.front(); }
};

// {"source","reason","field","detail","event"} on one line, without the newline. `field` is null when the first error
// is about the whole event; `event` is a JSON string (bytes that are not UTF-8 as U+FFFD) when it is not valid JSON,
// or nested too deep to be shown to a reader.
std::string ToNdjson(const DeadLetter& letter);

}  // namespace attune
