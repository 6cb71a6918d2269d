#include "ingest/protocol/segment.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "base/query_text.h"
#include "base/text_map.h"
#include "dead_letter/dead_letter.h"
#include "event/event.h"
#include "event/json_text.h"
#include "ingest/tracking_plan.h"
#include "language/token.h"

namespace attune {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// The text of a JSON string or number that stands alone.
std::string TextOf(std::string_view json, EventReader* reader) {
  if (!reader->Open(fmt::format("{{\"writeKey\":{}}}", json)).ok()) return "";
  return std::string(reader->Text(Member::kWriteKey));
}

bool IsObject(std::string_view json) { return json.starts_with('{'); }

// An object's text with the members of `more` that it lacks.
std::string Merged(std::string_view object, std::string_view more) {
  TextMap<bool> keys;
  JsonSlices own(object);
  while (own.Next()) keys.try_emplace(std::string(own.key()), true);
  std::string out(object.substr(0, object.rfind('}')));
  bool first = keys.empty();
  JsonSlices added(more);
  while (added.Next()) {
    if (keys.contains(added.key())) continue;
    out += fmt::format("{}\"{}\":{}", first ? "" : ",", added.key(), added.value());
    first = false;
  }
  return out + '}';
}

// The members of a batch beside its events.
struct Envelope {
  std::string_view batch;
  std::string_view write_key;
  std::string_view sent_at;
  std::string_view context;
};

const SegmentPath& PathOf(std::string_view path) {
  const SegmentPath* found = path == kValidatePath.path ? &kValidatePath : FindSegmentPath(path);
  ATTUNE_CHECK(found, "requests are dispatched by the paths of the protocol");
  return *found;
}

bool IsOfBatches(const SegmentPath& path) { return path.call == SegmentCall::kBatch || path.call == SegmentCall::kImport; }

// The age that an import accepts; without a value: the plan's.
Result<std::optional<Millis>> OldestEventOf(const SegmentPath& path, const ProtocolRequest& request) {
  const auto text = path.call == SegmentCall::kImport ? QueryParameter(request.query, "oldest_event") : std::nullopt;
  if (!text) return request.oldest_event;
  Millis span = 0;
  if (ParseDuration(*text, &span) && span > 0) return std::optional(span);
  return Error{ErrorCode::kInvalid, "oldest_event: expected a duration such as 7300d, found \"" + *text + "\""};
}

void AppendTextOrNull(std::string_view text, std::string* out) {
  if (text.empty()) {
    *out += "null";
  } else {
    AppendJsonString(text, out);
  }
}

// `"index":3,"messageId":"…","reason":"…","field":"…","detail":"…"`
void AppendRejection(size_t index, const ParsedEvent& event, std::string* out) {
  const EventError& error = event.dead->first();
  *out += fmt::format("\"index\":{},\"messageId\":", index);
  AppendTextOrNull(event.message_id, out);
  *out += ",\"reason\":";
  AppendJsonString(CodeOf(error.reason), out);
  *out += ",\"field\":";
  AppendTextOrNull(error.field, out);
  *out += ",\"detail\":";
  AppendJsonString(error.detail, out);
}

// `{"success":true,"accepted":2,"rejected":[…],"unknown":[1]}`: each rejected event with all of its errors.
std::string DryRunJson(const std::vector<ParsedEvent>& events) {
  std::string rejected, unknown;
  size_t accepted = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].ok()) {
      ++accepted;
      if (!events[i].known) unknown += fmt::format("{}{}", unknown.empty() ? "" : ",", i);
      continue;
    }
    if (!rejected.empty()) rejected += ',';
    rejected += '{';
    AppendRejection(i, events[i], &rejected);
    rejected += ",\"errors\":[";
    for (const EventError& error : events[i].dead->errors) {
      if (rejected.back() != '[') rejected += ',';
      AppendErrorJson(error, &rejected);
    }
    rejected += "]}";
  }
  return fmt::format("{{\"success\":true,\"accepted\":{},\"rejected\":[{}],\"unknown\":[{}]}}", accepted, rejected, unknown);
}

}  // namespace

const SegmentPath* FindSegmentPath(std::string_view path) {
  for (const SegmentPath& known : kSegmentPaths) {
    if (known.path == path) return &known;
  }
  return nullptr;
}

struct SegmentReader::Impl {
  Impl(const Plan& plan, const IngestLimits& limits) : admission(plan, limits), limits(limits) {}

  static std::optional<Refusal> NotJson(std::string_view body, const JsonFault& fault) {
    const TextPosition place = PositionOf(body, fault.offset);
    Refusal refusal;
    refusal.reason = ReasonOf(fault);
    refusal.detail =
        fmt::format("{} at byte {} (line {}, column {})", fault.what, fault.offset, place.line, place.column);
    refusal.offset = fault.offset;
    refusal.line = place.line;
    refusal.column = place.column;
    return refusal;
  }
  std::optional<Refusal> NotJson() const { return NotJson(body, JsonFaultOf(body, body.size() + 1)); }

  static bool IsNoEvent(Reason reason) { return reason == Reason::kInvalidJson || reason == Reason::kNotAnObject; }

  // An event's JSON is not even JSON, so neither is the body.
  static bool IsNoJson(const DeadLetter& letter) {
    if (letter.event_is_json) return false;
    const auto fault = FindJsonFault(letter.event, letter.event.size() + 1);
    return fault.has_value() && fault->kind == JsonFault::Kind::kSyntax;
  }

  ParsedEvent Take(std::string_view json, const Origin& origin) {
    ParsedEvent event;
    Admission admitted = admission.Admit(json, origin);
    event.known = admitted.known;
    if (admitted.ok()) {
      event.message_id = admitted.head.id;
      event.record = EventRecord(admitted.head, json);
    } else {
      event.message_id = admitted.dead->message_id;
      event.dead = std::move(admitted.dead);
    }
    return event;
  }

  std::optional<Refusal> ReadSingle(const ProtocolRequest& request, ParsedRequest* out) {
    Origin origin;
    origin.source = path->path;
    origin.type = path->type;
    origin.received = request.received;
    origin.sent_at = request.sent_at;
    origin.oldest_event = oldest_event;
    origin.id = request.id;
    const std::string_view json = Trim(body);
    ParsedEvent event = Take(json, origin);
    if (event.dead && (IsNoEvent(event.dead->first().reason) || IsNoJson(*event.dead))) return NotJson();
    out->write_key = KeyOf(json);
    out->events.push_back(std::move(event));
    return std::nullopt;
  }

  // A second look at the event, for its key alone: browsers send it in the body of single events.
  std::string KeyOf(std::string_view json) {
    if (json.size() > limits.event_bytes || json.find("writeKey") == std::string_view::npos) return "";
    return reader.Open(json).ok() ? std::string(reader.Text(Member::kWriteKey)) : "";
  }

  bool HasBatch() const {
    JsonSlices members(body);
    while (members.Next()) {
      if (members.key() == "batch") return true;
    }
    return false;
  }

  // Finds the members of a batch; false when the body is not JSON.
  bool ReadEnvelope(Envelope* envelope) {
    JsonSlices members(body);
    while (members.Next()) {
      const std::string_view key = members.key();
      const std::string_view value = members.value();
      if (key == "batch") {
        envelope->batch = value;
        continue;
      }
      const auto fault = FindJsonFault(value, value.size() + 1);
      if (fault.has_value() && fault->kind == JsonFault::Kind::kSyntax) return false;
      if (key == "writeKey") envelope->write_key = value;
      if (key == "sentAt") envelope->sent_at = value;
      // A context that could not be part of any event is no context.
      if (key == "context" && IsObject(value) && !FindJsonFault(value, kMaxEventDepth - 1)) envelope->context = value;
    }
    return members.ok() && members.is_object();
  }

  std::optional<Refusal> ReadBatch(const ProtocolRequest& request, ParsedRequest* out) {
    Envelope envelope;
    if (!ReadEnvelope(&envelope)) return NotJson();
    if (!envelope.batch.starts_with('[')) {
      const auto fault = FindJsonFault(body, body.size() + 1);
      if (fault && fault->kind == JsonFault::Kind::kSyntax) return NotJson();
      Refusal refusal;
      refusal.reason = Reason::kNoBatch;
      refusal.detail = "expected an array \"batch\" of events";
      return refusal;
    }
    if (!envelope.write_key.empty()) out->write_key = TextOf(envelope.write_key, &reader);
    Origin origin;
    origin.received = request.received;
    origin.sent_at = SentAt(envelope.sent_at, request.sent_at);
    origin.history = path->call == SegmentCall::kImport;
    origin.oldest_event = oldest_event;
    return ReadEvents(request, envelope, origin, out);
  }

  std::optional<Millis> SentAt(std::string_view json, std::optional<Millis> otherwise) {
    if (json.empty() || !reader.Open(fmt::format("{{\"sentAt\":{}}}", json)).ok()) return otherwise;
    const auto sent = ReadTimestamp(reader.Get(Member::kSentAt).value);
    return sent ? sent : otherwise;
  }

  std::optional<Refusal> ReadEvents(const ProtocolRequest& request, const Envelope& envelope, Origin origin,
                                    ParsedRequest* out) {
    out->events.reserve(envelope.batch.size() / 512 + 1);
    JsonSlices items(envelope.batch);
    size_t index = 0;
    while (items.Next()) {
      if (index == limits.batch_events) return TooMany(items);
      if (!request.id.empty()) origin.id = id = fmt::format("{}-{}", request.id, index);
      source = fmt::format("{}[{}]", path->path, index++);
      origin.source = source;
      std::string_view json = items.value();
      // What is too large in any case is not made larger: a context of megabytes would come again with each event.
      origin.added_bytes = envelope.context.size() > limits.event_bytes ? envelope.context.size() : 0;
      if (!envelope.context.empty() && json.size() + origin.added_bytes <= limits.event_bytes) {
        json = WithContext(json, envelope);
      }
      out->events.push_back(Take(json, origin));
      const ParsedEvent& event = out->events.back();
      if (event.dead && IsNoJson(*event.dead)) return NotJson();
    }
    if (!items.ok()) return NotJson();
    return std::nullopt;
  }

  std::optional<Refusal> TooMany(JsonSlices& items) const {
    Refusal refusal;
    refusal.reason = Reason::kBatchTooLong;
    refusal.limit = limits.batch_events;
    refusal.actual = limits.batch_events + 1;
    while (items.Next()) ++refusal.actual;
    refusal.detail = fmt::format("{} events; at most {}", refusal.actual, refusal.limit);
    return refusal;
  }

  std::string_view WithContext(std::string_view event, const Envelope& envelope) {
    std::string_view own;
    size_t members = 0;
    JsonSlices slices(event);
    for (; slices.Next(); ++members) {
      if (slices.key() == "context") own = slices.value();
    }
    if (!slices.ok() || !slices.is_object() || (!own.empty() && own != "null" && !IsObject(own))) return event;
    if (own.empty()) {
      spliced = fmt::format("{{\"context\":{}{}{}", envelope.context, members > 0 ? "," : "", event.substr(1));
    } else {
      const size_t begin = static_cast<size_t>(own.data() - event.data());
      spliced = event.substr(0, begin);
      spliced += IsObject(own) ? Merged(own, envelope.context) : std::string(envelope.context);
      spliced += event.substr(begin + own.size());
    }
    return spliced;
  }

  std::optional<Refusal> ReadBody(const ProtocolRequest& request, ParsedRequest* out) {
    if (auto refusal = DecodeBody(request.body, limits, &inflated, &body)) return refusal;
    if (Trim(body).empty()) {
      Refusal refusal;
      refusal.reason = Reason::kBodyEmpty;
      refusal.detail = "expected an event in JSON";
      return refusal;
    }
    const bool batch = path->call == SegmentCall::kEither ? HasBatch() : path->type.empty();
    return batch ? ReadBatch(request, out) : ReadSingle(request, out);
  }

  TrackingPlan admission;
  IngestLimits limits;
  EventReader reader;  // for a batch's members beside its events
  std::string inflated;
  const SegmentPath* path = nullptr;    // of the request at hand, as are those below
  std::optional<Millis> oldest_event;
  std::string_view body;
  std::string source;
  std::string id;
  std::string spliced;
};

SegmentReader::SegmentReader(const Plan& plan, const IngestLimits& limits)
    : impl_(std::make_unique<Impl>(plan, limits)) {}
SegmentReader::~SegmentReader() = default;

ParsedRequest SegmentReader::Read(const ProtocolRequest& request) {
  impl_->path = &PathOf(request.path);
  const auto oldest_event = OldestEventOf(*impl_->path, request);
  impl_->oldest_event = oldest_event.ok() ? *oldest_event : std::nullopt;
  ParsedRequest out;
  out.refusal = impl_->ReadBody(request, &out);
  // The body is read all the same: its key says who made the mistake.
  if (!oldest_event.ok()) out.refusal = Refusal{Code::kInvalidParameter, oldest_event.error().message};
  if (out.refusal) out.events.clear();
  return out;
}

ParsedEvent SegmentReader::ReadEvent(const KeptEvent& kept) {
  const SegmentPath& path = PathOf(kept.path);
  Origin origin;
  origin.source = kept.source;
  origin.type = path.type;
  origin.received = kept.received;
  origin.sent_at = kept.sent_at;
  origin.history = path.call == SegmentCall::kImport;
  origin.oldest_event = kept.oldest_event;
  origin.id = kept.id;
  return impl_->Take(kept.json, origin);
}

std::vector<ProtocolPath> SegmentProtocol::paths() const {
  std::vector<ProtocolPath> paths;
  for (const SegmentPath& path : kSegmentPaths) {
    paths.push_back({.path = path.path,
                     .summary = IsOfBatches(path) ? "Takes a batch of events" : fmt::format("Takes one {} event", path.type),
                     .query = path.call == SegmentCall::kImport ? "oldest_event" : ""});
  }
  paths.push_back({.path = kValidatePath.path, .summary = "", .is_dry_run = true});
  return paths;
}

std::unique_ptr<ProtocolReader> SegmentProtocol::NewReader(const Plan& plan) const {
  return std::make_unique<SegmentReader>(plan);
}

ProtocolAnswer SegmentProtocol::Answer(std::string_view path, const std::vector<ParsedEvent>& events) const {
  constexpr const char* kJsonType = "application/json; charset=utf-8";
  const SegmentPath& known = PathOf(path);
  if (known.call == SegmentCall::kEither) return {kJsonType, DryRunJson(events)};
  std::string rejected;
  size_t accepted = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].ok()) {
      ++accepted;
      continue;
    }
    if (!rejected.empty()) rejected += ',';
    rejected += '{';
    AppendRejection(i, events[i], &rejected);
    rejected += '}';
  }
  std::string body = fmt::format("{{\"success\":true,\"accepted\":{},\"rejected\":[{}]", accepted, rejected);
  if (!IsOfBatches(known) && !events.empty() && events[0].ok()) {
    body += ",\"messageId\":";
    AppendJsonString(events[0].message_id, &body);
  }
  return {kJsonType, body + '}'};
}

}  // namespace attune
