#include "engine/record.h"

#include "base/hash.h"

namespace attune {
namespace {

constexpr std::string_view kConsents = "categoryPreferences";

// Whether the JSON speaks of consents. Asked of every event, so that most need not be opened for it: the one capital is
// rare, and memchr finds it 32 bytes at a time. A name written with escapes is not found, on any machine.
bool MayHoldConsents(std::string_view json) {
  constexpr size_t kCapital = kConsents.find('P');
  for (size_t at = json.find('P', kCapital); at != json.npos; at = json.find('P', at + 1)) {
    if (json.substr(at - kCapital, kConsents.size()) == kConsents) return true;
  }
  return false;
}

}  // namespace

Result<Record> RecordReader::Read(std::string_view bytes) {
  auto encoded = DecodeEvent(bytes);
  if (!encoded.ok()) return encoded.error();
  const EventHead& head = encoded->head;
  Record record;
  record.kind = head.kind;
  record.user = head.user;
  record.anonymous_id = head.anonymous_id;
  record.names_user = head.kind != EventKind::kAlias && head.user != head.anonymous_id;
  record.id = Hash64(head.id);
  record.event = head.name;
  record.name = head.kind == EventKind::kTrack ? program_->NameOf(head.name) : kOtherName;
  record.time = head.time;
  const auto& wanted = program_->fields_of_name[record.name];
  const bool consents = MayHoldConsents(encoded->json);
  const bool open = (head.kind == EventKind::kTrack && !wanted.empty()) || head.kind == EventKind::kIdentify || consents;
  if (!open) return record;
  if (Status status = reader_.Open(encoded->json); !status.ok()) return Error{ErrorCode::kCorrupt, status.error().message};
  if (head.kind == EventKind::kTrack) {
    for (const uint32_t field : wanted) fields_[field] = ReadField(program_->fields[field]);
    record.fields = fields_;
  }
  facts_.clear();
  if (head.kind == EventKind::kIdentify) ReadTraits(head.time);
  if (consents) ReadConsents(head.time);
  record.facts = facts_;
  return record;
}

void RecordReader::ReadTraits(Millis time) {
  reader_.ForEachLeaf("traits", [&](std::string_view name, const Value&, std::string_view json) {
    facts_.push_back({FactKind::kTrait, time, std::string(name), std::string(json)});
  });
}

void RecordReader::ReadConsents(Millis time) {
  static const std::vector<std::string> kPath = {"consent", std::string(kConsents)};
  reader_.ForEachMember("context", kPath, [&](std::string_view purpose, const Value& given) {
    if (given.type() == Type::kBool) facts_.push_back({FactKind::kConsent, time, std::string(purpose), ToJson(given)});
  });
}

Value RecordReader::ReadField(const PropertyPath& path) {
  const Value value = reader_.Find(path.in_context ? "context" : "properties", path.keys);
  if (!path.is_time) return value;
  const auto time = ReadTimestamp(value);
  return time ? Value::Time(*time) : Value();
}

}  // namespace attune
