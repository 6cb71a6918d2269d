#include "ingest/protocol/segment.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text_map.h"
#include "event/json_text.h"

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

// What stands around the events of a batch.
struct Envelope {
  std::string_view batch;
  std::string_view write_key;
  std::string_view sent_at;
  std::string_view context;
};

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

  SegmentEvent Take(std::string_view json, const Origin& origin) {
    SegmentEvent event;
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

  std::optional<Refusal> ReadSingle(const Request& request, SegmentRequest* out) {
    Origin origin;
    origin.source = request.path->path;
    origin.type = request.path->type;
    origin.received = request.received;
    origin.sent_at = request.sent_at;
    origin.oldest_event = request.oldest_event;
    origin.id = request.id;
    const std::string_view json = Trim(body);
    SegmentEvent event = Take(json, origin);
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

  std::optional<Refusal> ReadBatch(const Request& request, SegmentRequest* out) {
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
    origin.history = request.path->call == SegmentCall::kImport;
    origin.oldest_event = request.oldest_event;
    return ReadEvents(request, envelope, origin, out);
  }

  std::optional<Millis> SentAt(std::string_view json, std::optional<Millis> otherwise) {
    if (json.empty() || !reader.Open(fmt::format("{{\"sentAt\":{}}}", json)).ok()) return otherwise;
    const auto sent = ReadTimestamp(reader.Get(Member::kSentAt).value);
    return sent ? sent : otherwise;
  }

  std::optional<Refusal> ReadEvents(const Request& request, const Envelope& envelope, Origin origin,
                                    SegmentRequest* out) {
    out->events.reserve(envelope.batch.size() / 512 + 1);
    JsonSlices items(envelope.batch);
    size_t index = 0;
    while (items.Next()) {
      if (index == limits.batch_events) return TooMany(items);
      if (!request.id.empty()) origin.id = id = fmt::format("{}-{}", request.id, index);
      source = fmt::format("{}[{}]", request.path->path, index++);
      origin.source = source;
      std::string_view json = items.value();
      // What is too large in any case is not made larger: a context of megabytes would come again with each event.
      origin.added_bytes = envelope.context.size() > limits.event_bytes ? envelope.context.size() : 0;
      if (!envelope.context.empty() && json.size() + origin.added_bytes <= limits.event_bytes) {
        json = WithContext(json, envelope);
      }
      out->events.push_back(Take(json, origin));
      const SegmentEvent& event = out->events.back();
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

  TrackingPlan admission;
  IngestLimits limits;
  EventReader reader;  // for what stands around events
  std::string inflated;
  std::string_view body;
  std::string source;
  std::string id;
  std::string spliced;
};

SegmentReader::SegmentReader(const Plan& plan, const IngestLimits& limits)
    : impl_(std::make_unique<Impl>(plan, limits)) {}
SegmentReader::~SegmentReader() = default;

SegmentRequest SegmentReader::Read(const Request& request) {
  SegmentRequest out;
  out.refusal = DecodeBody(request.body, impl_->limits, &impl_->inflated, &impl_->body);
  if (out.refusal) return out;
  if (Trim(impl_->body).empty()) {
    out.refusal.emplace();
    out.refusal->reason = Reason::kBodyEmpty;
    out.refusal->detail = "expected an event in JSON";
    return out;
  }
  const bool batch = request.path->call == SegmentCall::kEither ? impl_->HasBatch() : request.path->type.empty();
  out.refusal = batch ? impl_->ReadBatch(request, &out) : impl_->ReadSingle(request, &out);
  if (out.refusal) out.events.clear();
  return out;
}

}  // namespace attune
