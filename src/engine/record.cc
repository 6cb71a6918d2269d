#include "engine/record.h"

#include "base/hash.h"

namespace attune {

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
  const bool open = (head.kind == EventKind::kTrack && !wanted.empty()) || head.kind == EventKind::kIdentify;
  if (!open) return record;
  if (Status status = reader_.Open(encoded->json); !status.ok()) return Error{ErrorCode::kCorrupt, status.error().message};
  if (head.kind == EventKind::kTrack) {
    for (const uint32_t field : wanted) fields_[field] = ReadField(program_->fields[field]);
    record.fields = fields_;
    return record;
  }
  traits_.clear();
  reader_.ForEachLeaf("traits", [&](std::string_view name, const Value&, std::string_view json) {
    traits_.push_back({std::string(name), std::string(json)});
  });
  record.traits = traits_;
  return record;
}

Value RecordReader::ReadField(const PropertyPath& path) {
  const Value value = reader_.Find(path.in_context ? "context" : "properties", path.keys);
  if (!path.is_time) return value;
  const auto time = ReadTimestamp(value);
  return time ? Value::Time(*time) : Value();
}

}  // namespace attune
