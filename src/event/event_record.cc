#include "event/event_record.h"

namespace attune {
namespace {

// Bytes of a varint (see ByteWriter::Varint).
size_t VarintSize(size_t value) {
  size_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

constexpr size_t kNumbersBytes = 64;  // more than the numbers and lengths of an event take

}  // namespace

EventRecord::EventRecord(const EventHead& head, std::string_view json)
    : kind_(head.kind), user_size_(head.user.size()), anonymous_size_(head.anonymous_id.size()) {
  bytes_.reserve(head.id.size() + user_size_ + anonymous_size_ + head.name.size() + json.size() + kNumbersBytes);
  EncodeEvent(head, json, &bytes_);
  // The texts end the bytes: user, anonymous_id, name, json, each after its length.
  const size_t name_at = bytes_.size() - json.size() - VarintSize(json.size()) - head.name.size();
  anonymous_at_ = name_at - VarintSize(head.name.size()) - anonymous_size_;
  user_at_ = anonymous_at_ - VarintSize(anonymous_size_) - user_size_;
}

}  // namespace attune
