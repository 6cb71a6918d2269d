#include "ingest/tracking_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "base/hash.h"
#include "base/text_map.h"
#include "crypto/random_token.h"
#include "event/json_text.h"
#include "event/name.h"
#include "language/nearest.h"

namespace attune {
namespace {

struct EventType {
  std::string_view type;
  EventKind kind;
  std::string_view name;  // empty: the member `event`
};
constexpr EventType kTypes[] = {
    {"track", EventKind::kTrack, ""},           {"identify", EventKind::kIdentify, ""},
    {"page", EventKind::kTrack, "page_viewed"}, {"screen", EventKind::kTrack, "screen_viewed"},
    {"group", EventKind::kGroup, ""},           {"alias", EventKind::kAlias, ""},
};
constexpr size_t kCutMarkBytes = 3;  // of the `…` that Preview adds

constexpr std::string_view kTypesOfEvents = "track, identify, page, screen, group or alias";

const EventType* FindType(std::string_view type) {
  for (const EventType& known : kTypes) {
    if (known.type == type) return &known;
  }
  return nullptr;
}

// Ids that broken clients send for everybody. Compared without case.
constexpr std::string_view kPlaceholders[] = {
    "null", "undefined", "anonymous", "n/a", "nil", "none", "00000000-0000-0000-0000-000000000000", "[object object]",
};

bool IsPlaceholder(std::string_view id) {
  const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
  return std::any_of(std::begin(kPlaceholders), std::end(kPlaceholders), [&](std::string_view placeholder) {
    return std::equal(id.begin(), id.end(), placeholder.begin(), placeholder.end(), same);
  });
}

std::string_view ExpectedOf(PropertyType type) {
  constexpr std::string_view kNames[] = {"string", "number", "integer", "boolean", "time", "a value of the schema"};
  return kNames[static_cast<size_t>(type)];
}

// `string "12,50"`, `number 3`, `array ["a"]`, `null`.
std::string Found(JsonKind kind, std::string_view json) {
  if (kind == JsonKind::kMissing || kind == JsonKind::kNull) return std::string(JsonKindName(kind));
  return fmt::format("{} {}", JsonKindName(kind), Preview(json, kPreviewBytes));
}

bool HasType(PropertyType type, const JsonNode& node) {
  switch (type) {
    case PropertyType::kString: return node.kind == JsonKind::kString;
    case PropertyType::kNumber: return node.kind == JsonKind::kNumber;
    case PropertyType::kInteger:
      return node.kind == JsonKind::kNumber && node.value.number() == std::floor(node.value.number());
    case PropertyType::kBoolean: return node.kind == JsonKind::kBool;
    case PropertyType::kTime: return ReadTimestamp(node.value).has_value();
    case PropertyType::kSchema: break;
  }
  return true;
}

// The least text that one more of each takes: `"":1,` and `1,`.
constexpr size_t kBytesOfMember = 5;
constexpr size_t kBytesOfItem = 2;

struct PropertyCheck {
  const PropertySpec* spec;
  std::vector<std::string> key;   // the name as one key
  std::vector<std::string> path;  // and as a dotted path, when it has dots
};

std::vector<std::string> SplitDots(std::string_view name) {
  std::vector<std::string> parts;
  for (;;) {
    const size_t dot = name.find('.');
    parts.emplace_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    name.remove_prefix(dot + 1);
  }
}

}  // namespace

Reason ReasonOf(const JsonFault& fault) {
  switch (fault.kind) {
    case JsonFault::Kind::kSyntax: return Reason::kInvalidJson;
    case JsonFault::Kind::kNotObject: return Reason::kNotAnObject;
    case JsonFault::Kind::kEncoding: return Reason::kInvalidEncoding;
    case JsonFault::Kind::kNumber: return Reason::kNumberOutOfRange;
    case JsonFault::Kind::kDepth: break;
  }
  return Reason::kTooDeep;
}

struct TrackingPlan::Impl {
  Impl(const Plan& plan, const IngestLimits& limits) : plan(plan), limits(limits) {
    for (const auto& [name, spec] : plan.events) {
      names.push_back(name);
      std::vector<PropertyCheck>& properties = checks[name];
      for (const PropertySpec& property : spec.properties) {
        auto path = SplitDots(property.name);
        if (path.size() == 1) path.clear();
        properties.push_back({&property, {property.name}, std::move(path)});
      }
    }
  }

  // `json`: the wrong value, when there is one.
  void Fail(Reason reason, std::string field, std::string detail, std::string_view json = {}) {
    if (errors.size() >= limits.errors) return;
    errors.push_back({reason, std::move(field), std::move(detail), json.empty() ? "" : Preview(json, kPreviewBytes - kCutMarkBytes)});
  }
  void FailMember(Reason reason, Member member, std::string detail, std::string_view json = {}) {
    Fail(reason, std::string(MemberName(member)), std::move(detail), json);
  }

  // `expected X, found Y`, Y being what stands at `member`.
  void Unexpected(Reason reason, Member member, std::string_view expected) {
    FailMember(reason, member,
               fmt::format("expected {}, found {}", expected, Found(reader.Get(member).kind, reader.JsonOf(member))),
               reader.JsonOf(member));
  }

  bool Open(std::string_view json, const Origin& origin) {
    opened = false;
    if (json.size() + origin.added_bytes > limits.event_bytes + (origin.history ? limits.added_bytes : 0)) {
      Fail(Reason::kEventTooLarge, "",
           fmt::format("{} bytes{}; at most {}", json.size() + origin.added_bytes,
                       origin.added_bytes > 0 ? " with the batch's context" : "", limits.event_bytes));
      return false;
    }
    opened = reader.Open(json).ok();
    if (opened) return IsSmall(json);
    const JsonFault fault = JsonFaultOf(json, kMaxEventDepth);
    Fail(ReasonOf(fault), "", fmt::format("{} at byte {}", fault.what, fault.offset));
    return false;
  }

  // False when the event holds too many of something. What takes less text than this cannot.
  bool IsSmall(std::string_view json) {
    if (json.size() <= std::min(limits.object_members * kBytesOfMember, limits.array_items * kBytesOfItem)) return true;
    const EventReader::Widest widest = reader.FindWidest();
    if (widest.members > limits.object_members) {
      Fail(Reason::kTooManyMembers, "",
           fmt::format("an object with {} members; at most {}", widest.members, limits.object_members));
    } else if (widest.items > limits.array_items) {
      Fail(Reason::kTooManyMembers, "",
           fmt::format("an array with {} items; at most {}", widest.items, limits.array_items));
    }
    return errors.empty();
  }

  // A trait is kept under its dotted name: a long one above many others would be kept many times.
  void CheckTraitNames() {
    reader.ForEachLeaf("traits", [&](std::string_view name, const Value&, std::string_view) {
      if (name.size() <= limits.trait_name_bytes) return;
      FailMember(Reason::kInvalidField, Member::kTraits,
                 fmt::format("a name of {} bytes, \"{}\"; at most {}", name.size(), Preview(name, kPreviewBytes),
                             limits.trait_name_bytes));
    });
  }

  // The text of an id; empty when missing.
  std::string_view Id(Member member) {
    const JsonKind kind = reader.Get(member).kind;
    if (kind == JsonKind::kMissing || kind == JsonKind::kNull) return {};
    if (kind != JsonKind::kString && kind != JsonKind::kNumber) {
      Unexpected(Reason::kInvalidField, member, "string");
      return {};
    }
    const std::string_view id = reader.Text(member);
    if (id.size() > limits.id_bytes) {
      FailMember(Reason::kInvalidField, member, fmt::format("{} bytes; at most {}", id.size(), limits.id_bytes));
      return {};
    }
    return id.find_first_not_of(" \t") == std::string_view::npos ? std::string_view() : id;
  }

  std::string_view Person(Member member) {
    const std::string_view id = Id(member);
    if (!IsPlaceholder(id)) return id;
    FailMember(Reason::kIdentityPlaceholder, member, fmt::format("\"{}\" stands for nobody", id), reader.JsonOf(member));
    return {};
  }

  const EventType* ReadType(const Origin& origin) {
    if (const EventType* type = FindType(origin.type.empty() ? reader.Text(Member::kType) : origin.type)) return type;
    Unexpected(Reason::kUnknownType, Member::kType, kTypesOfEvents);
    return nullptr;
  }

  void ReadName(const EventType& type) {
    name = type.name;
    if (type.kind != EventKind::kTrack || !type.name.empty()) return;
    const JsonKind kind = reader.Get(Member::kEvent).kind;
    const std::string_view sent = reader.Text(Member::kEvent);
    if (kind == JsonKind::kMissing || kind == JsonKind::kNull || (kind == JsonKind::kString && sent.empty())) {
      return FailMember(Reason::kMissingField, Member::kEvent, "a track needs its event's name");
    }
    if (kind != JsonKind::kString) return Unexpected(Reason::kInvalidField, Member::kEvent, "string");
    if (sent.size() > limits.name_bytes) {
      return FailMember(Reason::kInvalidField, Member::kEvent,
                        fmt::format("{} bytes; at most {}", sent.size(), limits.name_bytes));
    }
    NormaliseEventName(sent, &name);
    if (name.empty()) Unexpected(Reason::kInvalidField, Member::kEvent, "a name with a letter or a digit");
  }

  void ReadUser(EventHead* head) {
    const size_t errors_before = errors.size();
    head->user = Person(Member::kUserId);
    head->anonymous_id = Person(Member::kAnonymousId);
    if (head->kind == EventKind::kAlias) {
      if (const std::string_view previous = Person(Member::kPreviousId); !previous.empty()) {
        head->anonymous_id = previous;
      }
    }
    if (errors.size() > errors_before) return;
    if (head->kind == EventKind::kAlias && (head->user.empty() || head->anonymous_id.empty())) {
      const Member missing = head->user.empty() ? Member::kUserId : Member::kPreviousId;
      return FailMember(Reason::kIdentityMissing, missing, "an alias names both ids");
    }
    if (head->user.empty()) head->user = head->anonymous_id;
    if (head->user.empty()) FailMember(Reason::kIdentityMissing, Member::kUserId, "neither userId nor anonymousId");
  }

  // A time that was sent: null and empty text count as missing.
  std::optional<Millis> Time(Member member) {
    const JsonNode node = reader.Get(member);
    if (node.kind == JsonKind::kMissing || node.kind == JsonKind::kNull) return std::nullopt;
    if (node.kind == JsonKind::kString && node.value.string().empty()) return std::nullopt;
    const auto time = ReadTimestamp(node.value);
    if (!time) Unexpected(Reason::kInvalidTimestamp, member, "RFC 3339 or a number since the epoch");
    return time;
  }

  void ReadTime(const Origin& origin, EventHead* head) {
    const size_t errors_before = errors.size();
    const auto timestamp = Time(Member::kTimestamp);
    const auto original = Time(Member::kOriginalTimestamp);
    if (errors.size() > errors_before) return;
    auto sent = ReadTimestamp(reader.Get(Member::kSentAt).value);
    if (!sent) sent = origin.sent_at;
    head->received = origin.received;
    if (origin.history) return ReadHistoryTime(origin, timestamp, original, sent, head);
    const auto said = sent ? (original ? original : timestamp) : (timestamp ? timestamp : original);
    head->time = said.value_or(origin.received);
    if (said && sent) Correct(*sent, origin.received, head);
    CheckTime(origin, said && sent && !head->clock_ignored, *head);
  }

  void ReadHistoryTime(const Origin& origin, std::optional<Millis> timestamp, std::optional<Millis> original,
                       std::optional<Millis> sent, EventHead* head) {
    if (!timestamp && !original) {
      return FailMember(Reason::kTimestampMissing, Member::kTimestamp, "an event of a history says when it happened");
    }
    const auto received = ReadTimestamp(reader.Get(Member::kReceivedAt).value);
    head->time = timestamp ? *timestamp : *original;
    const bool correct = sent && received && !(timestamp && original);
    if (correct) Correct(*sent, *received, head);
    head->received = received ? *received : head->time;
    CheckTime(origin, false, *head);
  }

  // Corrects the time by a client's clock that showed `sent` when the event was received.
  void Correct(Millis sent, Millis received, EventHead* head) const {
    head->clock_ignored = std::abs(received - sent) > limits.clock_off;
    head->time = head->clock_ignored ? received : received - (sent - head->time);
  }

  // `relative`: the time was computed from the instant of receiving, so it differs each time the event is sent. The message
  // then gives the distance alone, so that an event sent again makes the same dead letter.
  void CheckTime(const Origin& origin, bool relative, const EventHead& head) {
    if (origin.file) return;
    const Millis age = origin.received - head.time;
    const Millis oldest = origin.oldest_event.value_or(plan.oldest_event);
    if (age >= -limits.ahead && age <= oldest) return;
    const bool old = age > oldest;
    const std::string most = FormatDuration(old ? oldest : limits.ahead);
    FailMember(old ? Reason::kTimestampTooOld : Reason::kTimestampOutOfRange, Member::kTimestamp,
               relative ? fmt::format("it happened {} {} it was sent; at most {}", FormatDuration(std::abs(age)),
                                      old ? "before" : "after", most)
                        : fmt::format("{} is more than {} {} it was received", FormatRfc3339(head.time), most,
                                      old ? "before" : "after"),
               reader.JsonOf(Member::kTimestamp));
  }

  void CheckMembers(const EventHead& head) {
    for (const Member member : {Member::kProperties, Member::kTraits, Member::kContext}) {
      const JsonKind kind = reader.Get(member).kind;
      if (kind == JsonKind::kMissing || kind == JsonKind::kNull || kind == JsonKind::kObject) continue;
      Unexpected(Reason::kInvalidField, member, "object");
    }
    if (head.kind == EventKind::kGroup && Id(Member::kGroupId).empty()) {
      FailMember(Reason::kMissingField, Member::kGroupId, "a group needs its id");
    }
  }

  // True when the plan names the event.
  bool CheckPlan() {
    const auto found = checks.find(name);
    if (found == checks.end()) {
      if (plan.refuse_unknown_events) {
        FailMember(Reason::kUnknownEvent, Member::kEvent,
                   fmt::format("the plan has no event \"{}\"{}", name, DidYouMean(name, names)));
      }
      return false;
    }
    for (const PropertyCheck& check : found->second) CheckProperty(check);
    return true;
  }

  void CheckProperty(const PropertyCheck& check) {
    const std::vector<std::string>* keys = &check.key;
    JsonNode node = reader.Look("properties", *keys);
    if (node.kind == JsonKind::kMissing && !check.path.empty()) {
      keys = &check.path;
      node = reader.Look("properties", *keys);
    }
    const PropertySpec& spec = *check.spec;
    if (node.kind == JsonKind::kMissing || node.kind == JsonKind::kNull) {
      if (spec.optional) return;
      return Fail(Reason::kMissingProperty, "properties." + spec.name,
                  fmt::format("expected {}, found {}", ExpectedOf(spec.type),
                              node.kind == JsonKind::kNull ? "null" : "nothing"));
    }
    if (spec.type == PropertyType::kSchema) return CheckSchema(spec, *keys);
    if (HasType(spec.type, node)) return;
    Fail(Reason::kInvalidProperty, "properties." + spec.name,
         fmt::format("expected {}, found {}", ExpectedOf(spec.type),
                     Found(node.kind, reader.JsonOf("properties", *keys))),
         reader.JsonOf("properties", *keys));
  }

  void CheckSchema(const PropertySpec& spec, const std::vector<std::string>& keys) {
    JsonSchema::Mismatch mismatch;
    const auto holds = spec.schema->Check(reader.JsonOf("properties", keys), &mismatch);
    if (holds.ok() && *holds) return;
    std::string field = "properties." + spec.name + mismatch.pointer;
    std::replace(field.begin() + static_cast<ptrdiff_t>(field.size() - mismatch.pointer.size()), field.end(), '/', '.');
    Fail(Reason::kInvalidProperty, std::move(field),
         holds.ok() ? fmt::format("expected {}, found {} ({})", mismatch.expected, mismatch.found, spec.schema_name)
                    : holds.error().message,
         reader.JsonOf("properties", keys));
  }

  // An id for an event that was sent without one.
  std::string_view MakeId(std::string_view json, const Origin& origin) {
    std::string text;
    if (origin.history) {
      // The folder is left out, so that a copied file gives the same ids.
      text = origin.source.substr(origin.source.rfind('/') + 1);
      text += '\n';
      text += json;
    } else if (!origin.id.empty()) {
      id = origin.id;
      return id;
    } else {
      if (id_seed.empty()) id_seed = RandomToken();
      text = id_seed + std::to_string(++ids_made);
    }
    id = ToHex(Hash128(text));
    return id;
  }

  DeadLetter ToDeadLetter(std::string_view json, const Origin& origin) {
    DeadLetter letter;
    letter.source = origin.source;
    if (opened) letter.message_id = reader.Text(Member::kMessageId);
    letter.event = json;
    // What is nested so deep that we refuse it would make the list of letters unreadable for others too.
    letter.event_is_json = !FindJsonFault(json, kMaxEventDepth).has_value();
    letter.errors = std::move(errors);
    letter.name = name;
    letter.sent_at = origin.sent_at;
    return letter;
  }

  void Read(std::string_view json, const Origin& origin, Admission* admission) {
    EventHead& head = admission->head;
    if (!Open(json, origin)) return;
    const EventType* type = ReadType(origin);
    if (type == nullptr) return;
    head.kind = type->kind;
    ReadName(*type);
    head.name = name;
    ReadUser(&head);
    ReadTime(origin, &head);
    CheckMembers(head);
    if (head.kind == EventKind::kIdentify && json.size() > limits.trait_name_bytes) CheckTraitNames();
    admission->known = head.kind != EventKind::kTrack || (!name.empty() && CheckPlan());
    head.id = Id(Member::kMessageId);
    if (head.id.empty()) head.id = MakeId(json, origin);
  }

  const Plan& plan;
  IngestLimits limits;
  TextMap<std::vector<PropertyCheck>> checks;
  std::vector<std::string> names;
  EventReader reader;
  bool opened = false;  // the reader holds the event at hand
  std::vector<EventError> errors;
  std::string name;
  std::string id;
  std::string id_seed;  // made when first needed; a replay reads no randomness
  uint64_t ids_made = 0;
};

TrackingPlan::TrackingPlan(const Plan& plan, const IngestLimits& limits)
    : impl_(std::make_unique<Impl>(plan, limits)) {}
TrackingPlan::~TrackingPlan() = default;

EventReader& TrackingPlan::reader() { return impl_->reader; }

Admission TrackingPlan::Admit(std::string_view json, const Origin& origin) {
  Admission admission;
  admission.json = json;
  impl_->errors.clear();
  impl_->name.clear();
  impl_->Read(json, origin, &admission);
  if (!impl_->errors.empty()) admission.dead = impl_->ToDeadLetter(json, origin);
  return admission;
}

}  // namespace attune
