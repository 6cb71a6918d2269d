#include "engine/record.h"

#include "base/hash.h"

namespace attune {
namespace {

constexpr std::string_view kConsents = "categoryPreferences";

// Whether the JSON may contain consents. It is tested for every event, so that most events need not be parsed for them.
// The search is for the one capital letter, which is rare; memchr finds it 32 bytes at a time. A name written with
// escapes is never found.
bool MayHoldConsents(std::string_view json) {
  constexpr size_t kCapital = kConsents.find('P');
  for (size_t at = json.find('P', kCapital); at != json.npos; at = json.find('P', at + 1)) {
    if (json.substr(at - kCapital, kConsents.size()) == kConsents) return true;
  }
  return false;
}

}  // namespace

Record RecordReader::ReadHead(const EventHead& head) {
  Record record;
  record.kind = head.kind;
  record.user = head.user;
  record.anonymous_id = head.anonymous_id;
  record.names_user = head.kind != EventKind::kAlias && head.user != head.anonymous_id;
  record.id = Hash64(head.id);
  record.event = head.name;
  record.name = head.kind == EventKind::kTrack ? program_->NameOf(head.name) : kOtherName;
  record.time = head.time;
  return record;
}

Result<Record> RecordReader::Read(std::string_view bytes) {
  auto encoded = DecodeEvent(bytes);
  if (!encoded.ok()) return encoded.error();
  return Read(*encoded);
}

Result<Record> RecordReader::Read(const EncodedEvent& event) {
  const EventHead& head = event.head;
  Record record = ReadHead(head);
  const bool consents = MayHoldConsents(event.json);
  const bool wanted = head.kind == EventKind::kTrack && !program_->fields_of_name[record.name].empty();
  if (!wanted && head.kind != EventKind::kIdentify && !consents) return record;
  if (Status status = reader_.Open(event.json); !status.ok()) return Error{ErrorCode::kCorrupt, status.error().message};
  ReadBody(head, consents, &reader_, &record);
  return record;
}

Record RecordReader::Read(const EventHead& head, std::string_view json, EventReader* event) {
  Record record = ReadHead(head);
  ReadBody(head, MayHoldConsents(json), event, &record);
  return record;
}

void RecordReader::ReadBody(const EventHead& head, bool consents, EventReader* event, Record* record) {
  if (head.kind == EventKind::kTrack) {
    for (const uint32_t field : program_->fields_of_name[record->name]) fields_[field] = ReadField(program_->fields[field], event);
    record->fields = fields_;
  }
  facts_.clear();
  if (head.kind == EventKind::kIdentify) ReadTraits(head.time, event);
  if (consents) ReadConsents(head.time, event);
  record->facts = facts_;
}

void RecordReader::ReadTraits(Millis time, EventReader* event) {
  event->ForEachLeaf("traits", [&](std::string_view name, const Value&, std::string_view json) {
    facts_.push_back({FactKind::kTrait, time, std::string(name), std::string(json)});
  });
}

void RecordReader::ReadConsents(Millis time, EventReader* event) {
  static const std::vector<std::string> kPath = {"consent", std::string(kConsents)};
  event->ForEachMember("context", kPath, [&](std::string_view purpose, const Value& given) {
    if (given.type() == Type::kBool) facts_.push_back({FactKind::kConsent, time, std::string(purpose), ToJson(given)});
  });
}

Value RecordReader::ReadField(const PropertyPath& path, EventReader* event) {
  const Value value = event->Find(path.in_context ? "context" : "properties", path.keys);
  if (!path.is_time) return value;
  const auto time = ReadTimestamp(value);
  return time ? Value::Time(*time) : Value();
}

// --- packed ---

namespace {

void PackValue(const Value& value, ByteWriter* out) {
  out->U8(static_cast<uint8_t>(value.type()));
  switch (value.type()) {
    case Type::kNull: break;
    case Type::kBool: out->Bool(value.boolean()); break;
    case Type::kNumber: out->Double(value.number()); break;
    case Type::kString: out->String(value.string()); break;
    case Type::kTime:
    case Type::kDuration: out->I64(value.duration()); break;
    case Type::kList:
      out->Varint(value.list().size());
      for (const Value& item : value.list()) PackValue(item, out);
  }
}

}  // namespace

void PackRecord(const Record& record, const Program& program, ByteWriter* out) {
  out->String(record.user);
  out->U8(static_cast<uint8_t>(record.kind));
  out->Bool(record.names_user);
  out->String(record.anonymous_id);
  out->U64(record.id);
  out->String(record.event);
  out->Varint(record.name);
  out->I64(record.time);
  if (record.kind == EventKind::kTrack) {
    for (const uint32_t field : program.fields_of_name[record.name]) PackValue(record.fields[field], out);
  }
  out->Varint(record.facts.size());
  for (const Fact& fact : record.facts) fact.Write(out);
}

Record RecordUnpacker::Unpack(ByteReader* in) {
  Record record;
  record.user = in->String();
  record.kind = static_cast<EventKind>(in->U8());
  record.names_user = in->Bool();
  record.anonymous_id = in->String();
  record.id = in->U64();
  record.event = in->String();
  record.name = static_cast<NameId>(in->Varint());
  record.time = in->I64();
  lists_.clear();
  if (record.kind == EventKind::kTrack) {
    for (const uint32_t field : program_->fields_of_name[record.name]) fields_[field] = UnpackValue(in);
    record.fields = fields_;
  }
  facts_.resize(in->Varint());
  for (Fact& fact : facts_) fact.Read(in);
  record.facts = facts_;
  return record;
}

Value RecordUnpacker::UnpackValue(ByteReader* in) {
  switch (static_cast<Type>(in->U8())) {
    case Type::kNull: break;
    case Type::kBool: return Value::Bool(in->Bool());
    case Type::kNumber: return Value::Number(in->Double());
    case Type::kString: return Value::String(in->String());
    case Type::kTime: return Value::Time(in->I64());
    case Type::kDuration: return Value::Duration(in->I64());
    case Type::kList: {
      std::vector<Value> items(in->Varint());
      for (Value& item : items) item = UnpackValue(in);
      return Value::List(lists_.emplace_back(std::move(items)));
    }
  }
  return {};
}

}  // namespace attune
