// All codes that an answer or a dead letter can carry, in one table, which GET /v1/errors publishes. Codes are stable
// and for programs. Senders name a code by the enum, so that every code sent is in the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace attune {

enum class Code : uint8_t {
  // A malformed event, or a malformed body of a request.
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
  kTimestampTooOld,
  kUnknownEvent,
  kMissingProperty,
  kInvalidProperty,
  // A line of a history file.
  kInvalidLine,
  kLineTooLong,
  // The whole body of a request with events.
  kBodyEmpty,
  kBodyTooLarge,
  kBadCompression,
  kNoBatch,
  kBatchTooLong,
  // The request as HTTP.
  kMalformedRequest,
  kMalformedPath,
  kChunkExtensionsTooLarge,
  kRequestTimeout,
  kTargetTooLong,
  kHeadTooLarge,
  kTooManyFields,
  kExpectationFailed,
  kVersionNotSupported,
  // Parameters, keys, and what the request names.
  kInvalidParameter,
  kInvalidPosition,
  kInvalidBody,
  kInvalidExpression,
  kInvalidWriteKey,
  kInvalidKey,
  kInsufficientScope,
  kNotFound,
  kUnknownUser,
  kUnknownSegment,
  kUnknownStudy,
  kUnknownDeadLetter,
  kMethodNotAllowed,
  kNotMerged,
  kPlanNotReplaceable,
  kNoLongerKept,
  kHistoryTooShort,
  kInvalidPlan,
  kRateLimited,
  kStudyRunning,
  kTooManyStreams,
  // Failures and limits of the server.
  kOverloaded,
  kStorageFull,
  kStorageFailed,
  kLogUnreadable,
  kDraining,
  kInternalError,
};

// The stage at which a request or an event is refused.
enum class Stage : uint8_t {
  kTransport,  // bytes to a request
  kParse,      // a body to JSON
  kProtocol,   // JSON to events: the requirements on every event
  kSchema,     // events against the plan
  kStore,      // storage, and room for more
  kRequest,    // a query, its parameters, its key
};
inline constexpr std::string_view kStageNames[] = {"transport", "parse", "protocol", "schema", "store", "request"};

struct CodeInfo {
  Code code;
  std::string_view text;
  int status;        // HTTP status of an answer with this code; 0: only dead letters have the code
  bool is_reason;    // a dead letter can have it
  Stage stage;
  bool is_retryable;  // a later retry of the same request can succeed
  std::string_view meaning;
};

// Raised when a code is removed or changes its meaning, not when one is added.
inline constexpr int kCodesVersion = 1;

inline constexpr CodeInfo kCodes[] = {
    // code, text, status, is_reason, stage, is_retryable, meaning
    {Code::kInvalidJson, "invalid_json", 400, true, Stage::kParse, false, "the text is not JSON"},
    {Code::kNotAnObject, "not_an_object", 400, true, Stage::kParse, false, "the text is JSON, but no object"},
    {Code::kInvalidEncoding, "invalid_encoding", 400, true, Stage::kParse, false, "bytes that are not UTF-8, or half a surrogate pair"},
    {Code::kNumberOutOfRange, "number_out_of_range", 400, true, Stage::kParse, false, "a number that neither a double nor a 64-bit integer holds"},
    {Code::kTooDeep, "too_deep", 400, true, Stage::kParse, false, "objects and arrays nested deeper than 32"},
    {Code::kTooManyMembers, "too_many_members", 0, true, Stage::kParse, false, "an object with more than 1,000 members, or an array with more than 4,000 items"},
    {Code::kEventTooLarge, "event_too_large", 0, true, Stage::kProtocol, false, "the event's JSON is longer than 32 KiB"},
    {Code::kUnknownType, "unknown_type", 0, true, Stage::kProtocol, false, "type is not track, identify, page, screen, group or alias"},
    {Code::kMissingField, "missing_field", 0, true, Stage::kProtocol, false, "a field that this type of event needs is missing"},
    {Code::kInvalidField, "invalid_field", 0, true, Stage::kProtocol, false, "a field of the event has the wrong type or is too long"},
    {Code::kIdentityMissing, "identity_missing", 0, true, Stage::kProtocol, false, "neither userId nor anonymousId"},
    {Code::kIdentityPlaceholder, "identity_placeholder", 0, true, Stage::kProtocol, false, "an id that identifies nobody, such as \"null\""},
    {Code::kTimestampMissing, "timestamp_missing", 0, true, Stage::kProtocol, false, "an event of a history has no time"},
    {Code::kInvalidTimestamp, "invalid_timestamp", 0, true, Stage::kProtocol, false, "the time is neither RFC 3339 nor a number since the epoch"},
    {Code::kTimestampOutOfRange, "timestamp_out_of_range", 0, true, Stage::kProtocol, false, "the time is more than 24 hours in the future"},
    {Code::kTimestampTooOld, "timestamp_too_old", 0, true, Stage::kProtocol, false, "the time is further back than the plan's limits.oldest_event"},
    {Code::kUnknownEvent, "unknown_event", 0, true, Stage::kSchema, false, "the plan does not declare this event, and refuses undeclared events"},
    {Code::kMissingProperty, "missing_property", 0, true, Stage::kSchema, false, "a property that the plan requires is missing or null"},
    {Code::kInvalidProperty, "invalid_property", 0, true, Stage::kSchema, false, "a property does not have the type that the plan declares"},
    {Code::kInvalidLine, "invalid_line", 0, true, Stage::kParse, false, "a line of a history file does not match its mapping"},
    {Code::kLineTooLong, "line_too_long", 0, true, Stage::kParse, false, "a line of a history file is longer than 4 MiB"},
    {Code::kBodyEmpty, "body_empty", 400, true, Stage::kParse, false, "the request has no body"},
    {Code::kBodyTooLarge, "body_too_large", 413, true, Stage::kTransport, false, "the body is larger than 4 MiB, as sent or after decompression"},
    {Code::kBadCompression, "bad_compression", 400, true, Stage::kTransport, false, "the compressed body is damaged, or grows more than 200 times"},
    {Code::kNoBatch, "no_batch", 400, true, Stage::kProtocol, false, "the body has no array `batch`"},
    {Code::kBatchTooLong, "batch_too_long", 413, true, Stage::kProtocol, false, "the batch has more than 1,000 events"},

    {Code::kMalformedRequest, "malformed_request", 400, false, Stage::kTransport, false, "the request is not valid HTTP"},
    {Code::kMalformedPath, "malformed_path", 400, false, Stage::kTransport, false, "the path cannot be decoded"},
    {Code::kChunkExtensionsTooLarge, "chunk_extensions_too_large", 400, false, Stage::kTransport, false, "the chunk extensions are too large"},
    {Code::kRequestTimeout, "request_timeout", 408, false, Stage::kTransport, true, "the request did not arrive in time"},
    {Code::kTargetTooLong, "target_too_long", 414, false, Stage::kTransport, false, "path and query are too long"},
    {Code::kHeadTooLarge, "head_too_large", 431, false, Stage::kTransport, false, "the request's head is too large"},
    {Code::kTooManyFields, "too_many_fields", 431, false, Stage::kTransport, false, "the request has too many header fields"},
    {Code::kExpectationFailed, "expectation_failed", 417, false, Stage::kTransport, false, "the header Expect is not 100-continue"},
    {Code::kVersionNotSupported, "version_not_supported", 505, false, Stage::kTransport, false, "only HTTP/1.0 and HTTP/1.1 are supported"},

    {Code::kInvalidParameter, "invalid_parameter", 400, false, Stage::kRequest, false, "a query parameter is wrong"},
    {Code::kInvalidPosition, "invalid_position", 400, false, Stage::kRequest, false, "Attune-Position is not one that this server gave"},
    {Code::kInvalidBody, "invalid_body", 400, false, Stage::kRequest, false, "the body is not valid for this request"},
    {Code::kInvalidExpression, "invalid_expression", 400, false, Stage::kRequest, false, "an expression has mistakes"},
    {Code::kInvalidWriteKey, "invalid_write_key", 401, false, Stage::kRequest, false, "a valid write key is needed"},
    {Code::kInvalidKey, "invalid_key", 401, false, Stage::kRequest, false, "a valid API key is needed"},
    {Code::kInsufficientScope, "insufficient_scope", 403, false, Stage::kRequest, false, "the key may not do this"},
    {Code::kNotFound, "not_found", 404, false, Stage::kRequest, false, "there is nothing at this path"},
    {Code::kUnknownUser, "unknown_user", 404, false, Stage::kRequest, false, "no event of this user was received"},
    {Code::kUnknownSegment, "unknown_segment", 404, false, Stage::kRequest, false, "the plan has no such segment"},
    {Code::kUnknownStudy, "unknown_study", 404, false, Stage::kRequest, false, "no study with this id is running or kept"},
    {Code::kUnknownDeadLetter, "unknown_dead_letter", 404, false, Stage::kRequest, false, "no dead letter with this id is kept"},
    {Code::kMethodNotAllowed, "method_not_allowed", 405, false, Stage::kRequest, false, "the path does not support the method"},
    {Code::kNotMerged, "not_merged", 409, false, Stage::kRequest, false, "the id was not merged into another's history"},
    {Code::kPlanNotReplaceable, "plan_not_replaceable", 409, false, Stage::kRequest, false, "the plan is not one file that can be written"},
    {Code::kNoLongerKept, "no_longer_kept", 410, false, Stage::kRequest, false, "the stream cannot be resumed there: what followed is no longer kept"},
    {Code::kHistoryTooShort, "history_too_short", 422, false, Stage::kRequest, true, "the history is too short for the question"},
    {Code::kInvalidPlan, "invalid_plan", 422, false, Stage::kRequest, false, "the plan has mistakes; the present one goes on"},
    {Code::kRateLimited, "rate_limited", 429, false, Stage::kRequest, true, "more events than the key or the network may send; nothing was stored"},
    {Code::kStudyRunning, "study_running", 429, false, Stage::kRequest, true, "another long question is being answered"},
    {Code::kTooManyStreams, "too_many_streams", 429, false, Stage::kRequest, true, "too many clients follow the stream"},

    {Code::kOverloaded, "overloaded", 429, false, Stage::kStore, true, "more events arrive than can be stored; nothing was stored"},
    {Code::kStorageFull, "storage_full", 503, false, Stage::kStore, true, "the disk is full; nothing was stored"},
    {Code::kStorageFailed, "storage_failed", 503, false, Stage::kStore, true, "the disk failed; the process needs a restart"},
    {Code::kLogUnreadable, "log_unreadable", 503, false, Stage::kStore, false, "the log cannot be read"},
    {Code::kDraining, "draining", 503, false, Stage::kStore, true, "the server is shutting down"},
    {Code::kInternalError, "internal_error", 500, false, Stage::kStore, true, "the request could not be answered: a bug"},
};
inline constexpr size_t kCodeCount = std::size(kCodes);

constexpr bool CodesAreInOrder() {
  for (size_t i = 0; i < kCodeCount; ++i) {
    if (static_cast<size_t>(kCodes[i].code) != i || kCodes[i].text.empty()) return false;
    if (kCodes[i].status == 0 && !kCodes[i].is_reason) return false;
  }
  return kCodeCount == static_cast<size_t>(Code::kInternalError) + 1;
}
static_assert(CodesAreInOrder(), "InfoOf finds a code at its own number, and every code is of an answer or a letter");

constexpr const CodeInfo& InfoOf(Code code) { return kCodes[static_cast<size_t>(code)]; }
constexpr std::string_view CodeOf(Code code) { return InfoOf(code).text; }

}  // namespace attune
