#include "event/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <deque>

#include "base/bytes.h"
#include "base/text_map.h"
#include "event/dom.h"
#include "event/json_text.h"

namespace attune {
namespace {

namespace dom = simdjson::dom;

constexpr uint8_t kPlainVersion = 1;
constexpr uint8_t kMarkedVersion = 2;
constexpr uint8_t kClockIgnored = 1;  // a mark

constexpr std::array<std::string_view, kMembers> kMemberNames = {
    "type",       "event",      "name",      "userId",     "anonymousId",
    "previousId", "groupId",    "messageId", "timestamp",  "originalTimestamp",
    "sentAt",     "receivedAt", "writeKey",  "properties", "traits",
    "context",
};

// The members by the length of their names, because this lookup runs for every member of every
// event.
constexpr size_t kLongestName = 17;
constexpr auto kByLength = [] {
  std::array<std::array<uint8_t, 4>, kLongestName + 1> table{};
  for (auto& row : table) row.fill(kMembers);
  for (uint8_t i = 0; i < kMembers; ++i) {
    auto& row = table[kMemberNames[i].size()];
    size_t at = 0;
    while (row[at] != kMembers) ++at;
    row[at] = i;
  }
  return table;
}();

// The index of the member that a key names; kMembers when none.
size_t MemberOf(std::string_view key) {
  if (key.size() > kLongestName) return kMembers;
  for (const uint8_t i : kByLength[key.size()]) {
    if (i == kMembers || kMemberNames[i] == key) return i;
  }
  return kMembers;
}

// The last member with that name.
bool LastMember(dom::object object, std::string_view key, dom::element* found) {
  bool any = false;
  for (const dom::key_value_pair member : object) {
    if (member.key == key) {
      *found = member.value;
      any = true;
    }
  }
  return any;
}

bool IsEmptyArray(dom::element element) {
  dom::array array;
  return element.get(array) == simdjson::SUCCESS && array.begin() == array.end();
}

}  // namespace

std::string_view JsonKindName(JsonKind kind) {
  constexpr std::string_view kNames[] = {"missing", "null", "boolean", "number", "string", "array", "object"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view MemberName(Member member) { return kMemberNames[static_cast<size_t>(member)]; }

void EncodeEvent(const EventHead& head, std::string_view json, std::string* out) {
  ByteWriter writer(std::move(*out));
  writer.U8(head.clock_ignored ? kMarkedVersion : kPlainVersion);
  writer.U8(static_cast<uint8_t>(head.kind));
  if (head.clock_ignored) writer.U8(kClockIgnored);
  writer.I64(head.time);
  writer.I64(head.received);
  for (const std::string_view text : {head.id, head.user, head.anonymous_id, head.name, json}) writer.String(text);
  *out = writer.Take();
}

Result<EncodedEvent> DecodeEvent(std::string_view bytes) {
  ByteReader reader(bytes);
  EncodedEvent event;
  const uint8_t version = reader.U8();
  const uint8_t kind = reader.U8();
  const uint8_t marks = version == kMarkedVersion ? reader.U8() : 0;
  event.head.time = reader.I64();
  event.head.received = reader.I64();
  for (std::string_view* text :
       {&event.head.id, &event.head.user, &event.head.anonymous_id, &event.head.name, &event.json}) {
    *text = reader.String();
  }
  if (!reader.done()) return Error{ErrorCode::kCorrupt, "an event's bytes end too early or too late"};
  const bool known = version == kPlainVersion || (version == kMarkedVersion && marks == kClockIgnored);
  if (!known || kind < 1 || kind > 4) {
    return Error{ErrorCode::kCorrupt, fmt::format("no event has version {} and kind {}", version, kind)};
  }
  event.head.clock_ignored = marks == kClockIgnored;
  event.head.kind = static_cast<EventKind>(kind);
  return event;
}

struct EventReader::Impl {
  Impl() {
    const simdjson::error_code error = parser.allocate(16 << 10, kMaxEventDepth);
    ATTUNE_CHECK(error == simdjson::SUCCESS, "16 KiB of memory are available");
  }

  // Copies `json` to a buffer with the padding that the parser may read.
  const char* Padded(std::string_view json) {
    const size_t needed = json.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < needed) padded.resize(needed * 2);
    std::memcpy(padded.data(), json.data(), json.size());
    return padded.data();
  }

  bool Has(Member member) const { return present[static_cast<size_t>(member)]; }
  dom::element At(Member member) const { return members[static_cast<size_t>(member)]; }

  void Clear() {
    present.fill(false);
    lists.clear();
  }

  // True when the event's `name` is read as the property `name`.
  bool IsPageLike() const {
    return !(Has(Member::kEvent) && !At(Member::kEvent).is_null()) && Has(Member::kName) &&
           At(Member::kName).is_string();
  }

  bool RootOf(std::string_view root, dom::element* found) const {
    const size_t i = MemberOf(root);
    if (i == kMembers || !present[i]) return false;
    *found = members[i];
    return true;
  }

  bool Locate(std::string_view root, const std::vector<std::string>& keys, dom::element* found) const {
    if (LocateSent(root, keys, found)) return true;
    if (root != "properties" || keys.size() != 1 || keys[0] != "name" || !IsPageLike()) return false;
    *found = At(Member::kName);
    return true;
  }

  bool LocateSent(std::string_view root, const std::vector<std::string>& keys, dom::element* found) const {
    if (!RootOf(root, found)) return false;
    for (const std::string& key : keys) {
      dom::object object;
      if (found->get(object) != simdjson::SUCCESS || !LastMember(object, key, found)) return false;
    }
    return true;
  }

  Value ValueOf(dom::element element) {
    dom::array array;
    if (element.get(array) != simdjson::SUCCESS) return ScalarOf(element);
    std::vector<Value>& items = lists.emplace_back();
    for (const dom::element item : array) {
      const Value value = ScalarOf(item);
      if (!value.is_null()) items.push_back(value);
    }
    return Value::List(items);
  }

  using Leaf = std::function<void(std::string_view, const Value&, std::string_view)>;

  void EmitLeaf(const std::string& name, dom::element element, const Leaf& fn) {
    fn(name, ValueOf(element), simdjson::minify(element));
  }

  void Walk(dom::object object, std::string* name, const Leaf& fn) {
    TextMap<size_t> last;  // the last position of each key
    size_t position = 0;
    for (const dom::key_value_pair member : object) last.insert_or_assign(std::string(member.key), position++);
    position = 0;
    for (const dom::key_value_pair member : object) {
      if (last.find(member.key)->second != position++) continue;
      const size_t length = name->size();
      if (length > 0) *name += '.';
      *name += member.key;
      dom::object inner;
      if (member.value.get(inner) == simdjson::SUCCESS) {
        Walk(inner, name, fn);
      } else {
        EmitLeaf(*name, member.value, fn);
      }
      name->resize(length);
    }
  }

  std::string padded;
  dom::parser parser;
  std::array<bool, kMembers> present{};
  std::array<dom::element, kMembers> members;
  std::array<std::string, kMembers> texts;  // numbers that were requested as text
  std::deque<std::vector<Value>> lists;     // the storage that Value::List views
};

EventReader::EventReader() : impl_(std::make_unique<Impl>()) {}
EventReader::~EventReader() = default;

Status EventReader::Open(std::string_view json) {
  impl_->Clear();
  dom::object event;
  const auto error = impl_->parser.parse(impl_->Padded(json), json.size(), false).get(event);
  if (error != simdjson::SUCCESS) {
    const JsonFault fault = JsonFaultOf(json, kMaxEventDepth);
    return Error{ErrorCode::kInvalid, fmt::format("{} at byte {}", fault.what, fault.offset)};
  }
  for (const dom::key_value_pair member : event) {
    const size_t i = MemberOf(member.key);
    if (i == kMembers) continue;
    impl_->members[i] = member.value;
    impl_->present[i] = true;
  }
  for (const Member root : {Member::kProperties, Member::kTraits, Member::kContext}) {
    if (impl_->Has(root) && IsEmptyArray(impl_->At(root))) impl_->present[static_cast<size_t>(root)] = false;
  }
  return Status();
}

namespace {

// Recurses at most as deep as an event may nest.
void Measure(dom::element element, EventReader::Widest* widest) {
  dom::object object;
  dom::array array;
  size_t count = 0;
  if (element.get(object) == simdjson::SUCCESS) {
    for (const dom::key_value_pair member : object) {
      Measure(member.value, widest);
      ++count;
    }
    widest->members = std::max(widest->members, count);
  } else if (element.get(array) == simdjson::SUCCESS) {
    for (const dom::element item : array) {
      Measure(item, widest);
      ++count;
    }
    widest->items = std::max(widest->items, count);
  }
}

}  // namespace

EventReader::Widest EventReader::FindWidest() const {
  Widest widest;
  Measure(impl_->parser.doc.root(), &widest);
  return widest;
}

JsonNode EventReader::Get(Member member) const {
  if (!impl_->Has(member)) return {};
  return {KindOf(impl_->At(member)), ScalarOf(impl_->At(member))};
}

std::string_view EventReader::Text(Member member) {
  if (!impl_->Has(member)) return {};
  const dom::element element = impl_->At(member);
  if (element.is_string()) return element.get_string().value_unsafe();
  std::string& text = impl_->texts[static_cast<size_t>(member)];
  text.clear();
  if (element.is_int64()) {
    text = std::to_string(element.get_int64().value_unsafe());
  } else if (element.is_uint64()) {
    text = std::to_string(element.get_uint64().value_unsafe());
  } else if (element.is_double()) {
    AppendJsonNumber(element.get_double().value_unsafe(), &text);
  }
  return text;
}

Value EventReader::Find(std::string_view root, const std::vector<std::string>& keys) {
  dom::element found;
  return impl_->Locate(root, keys, &found) ? impl_->ValueOf(found) : Value();
}

JsonNode EventReader::Look(std::string_view root, const std::vector<std::string>& keys) {
  dom::element found;
  if (!impl_->Locate(root, keys, &found)) return {};
  return {KindOf(found), impl_->ValueOf(found)};
}

std::string EventReader::JsonOf(std::string_view root, const std::vector<std::string>& keys) {
  dom::element found;
  return impl_->Locate(root, keys, &found) ? simdjson::minify(found) : std::string();
}

std::string EventReader::JsonOf(Member member) const {
  return impl_->Has(member) ? simdjson::minify(impl_->At(member)) : std::string();
}

void EventReader::ForEachLeaf(
    std::string_view root,
    const std::function<void(std::string_view name, const Value& value, std::string_view json)>& fn) {
  dom::element found;
  dom::object object;
  std::string name;
  if (impl_->RootOf(root, &found) && found.get(object) == simdjson::SUCCESS) impl_->Walk(object, &name, fn);
  dom::element page_name;
  if (root == "properties" && impl_->IsPageLike() && !impl_->LocateSent(root, {"name"}, &page_name)) {
    impl_->EmitLeaf("name", impl_->At(Member::kName), fn);
  }
}

void EventReader::ForEachMember(std::string_view root, const std::vector<std::string>& keys,
                                const std::function<void(std::string_view name, const Value& value)>& fn) {
  dom::element found;
  dom::object object;
  if (!impl_->LocateSent(root, keys, &found) || found.get(object) != simdjson::SUCCESS) return;
  TextMap<size_t> last;  // the last position of each name
  size_t position = 0;
  for (const dom::key_value_pair member : object) last.insert_or_assign(std::string(member.key), position++);
  position = 0;
  for (const dom::key_value_pair member : object) {
    if (last.find(member.key)->second == position++) fn(member.key, impl_->ValueOf(member.value));
  }
}

namespace {

constexpr Millis kYear0001 = -62'135'596'800'000;
constexpr Millis kYear9999 = 253'402'300'799'999;

std::optional<Millis> FromEpoch(double number) {
  const double size = std::abs(number);
  if (!(size < 1e17)) return std::nullopt;
  const double millis = size < 1e11 ? number * 1000 : size < 1e14 ? number : number / 1000;
  const auto whole = static_cast<Millis>(std::floor(millis));
  if (whole < kYear0001 || whole > kYear9999) return std::nullopt;
  return whole;
}

}  // namespace

std::optional<Millis> ReadTimestamp(const Value& value) {
  if (value.type() == Type::kTime) return value.time();
  if (value.type() == Type::kNumber) return FromEpoch(value.number());
  if (value.type() != Type::kString) return std::nullopt;
  const std::string_view text = value.string();
  if (const auto time = ParseRfc3339(text)) return time;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return FromEpoch(number);
}

}  // namespace attune
