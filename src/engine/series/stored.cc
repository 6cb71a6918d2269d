#include "engine/series/stored.h"

#include <cstring>

namespace attune {

Interner::Id Interner::Acquire(std::string_view text) {
  const auto found = ids_.find(text);
  if (found != ids_.end()) {
    ++entries_[found->second].uses;
    return found->second;
  }
  Id id;
  if (free_.empty()) {
    id = static_cast<Id>(entries_.size());
    entries_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Entry& entry = entries_[id];
  entry.text = std::make_unique<char[]>(text.size());
  entry.size = static_cast<uint32_t>(text.size());
  entry.uses = 1;
  std::memcpy(entry.text.get(), text.data(), text.size());
  ids_.emplace(Get(id), id);
  return id;
}

void Interner::Release(Id id) {
  Entry& entry = entries_[id];
  ATTUNE_CHECK(entry.uses > 0, "each release follows an acquire");
  if (--entry.uses > 0) return;
  ids_.erase(Get(id));
  entry.text.reset();
  free_.push_back(id);
}

Stored Stored::Acquire(const Value& value, Interner* interner) {
  constexpr Millis kLimit = Millis{1} << 47;
  switch (value.type()) {
    case Type::kBool: return FromBits(Tagged(kBoolTag, value.boolean()));
    case Type::kNumber: return FromBits(std::bit_cast<uint64_t>(value.number() == 0 ? 0.0 : value.number()));
    case Type::kString: return FromBits(Tagged(kTextTag, interner->Acquire(value.string())));
    case Type::kTime:
      if (value.time() >= kLimit || value.time() < -kLimit) return Stored();
      return FromBits(Tagged(kTimeTag, static_cast<uint64_t>(value.time()) & 0xFFFF'FFFF'FFFF));
    case Type::kNull:
    case Type::kDuration:
    case Type::kList: break;
  }
  return Stored();
}

Value Stored::Load(const Interner& interner) const {
  if (is_number()) return Value::Number(number());
  const uint64_t payload = bits_ & 0xFFFF'FFFF'FFFF;
  switch (bits_ >> 48 & 7) {
    case kBoolTag: return Value::Bool(payload != 0);
    case kTextTag: return Value::String(interner.Get(text()));
    case kTimeTag: return Value::Time(static_cast<Millis>(payload << 16) >> 16);
    default: return Value();
  }
}

void WriteStored(Stored value, const Interner& interner, ByteWriter* out) {
  out->Bool(value.is_text());
  if (value.is_text()) {
    out->String(interner.Get(value.text()));
  } else {
    out->U64(value.bits());
  }
}

Stored ReadStored(ByteReader* in, Interner* interner) {
  if (in->Bool()) return Stored::Acquire(Value::String(in->String()), interner);
  const Stored value = Stored::FromBits(in->U64());
  return value.is_text() ? Stored() : value;
}

}  // namespace attune
