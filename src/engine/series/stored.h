// Values as user state stores them: eight bytes each, with interned text.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/text_map.h"
#include "event/value.h"

namespace attune {

// Stores each distinct text once, counts its uses, and drops it with the last use. One thread. Ids are reused.
class Interner {
 public:
  using Id = uint32_t;

  Id Acquire(std::string_view text);  // adds a use
  void Retain(Id id) { ++entries_[id].uses; }
  void Release(Id id);                // removes a use
  std::string_view Get(Id id) const { return {entries_[id].text.get(), entries_[id].size}; }
  size_t size() const { return ids_.size(); }

 private:
  struct Entry {
    std::unique_ptr<char[]> text;
    uint32_t size = 0;
    uint32_t uses = 0;
  };
  std::vector<Entry> entries_;
  std::vector<Id> free_;
  absl::flat_hash_map<std::string_view, Id, TextHash> ids_;
};

// A null, boolean, number, string or time in 64 bits: numbers as they are, other types in the space of NaNs. Two are
// equal exactly if their values are. One for which is_text() is true counts as a use of its interned text; the holder
// calls Retain and Release.
class Stored {
 public:
  constexpr Stored() = default;

  // Lists, durations and times outside +-8,900 years become null.
  static Stored Acquire(const Value& value, Interner* interner);
  static constexpr Stored FromBits(uint64_t bits) { Stored s; s.bits_ = bits; return s; }

  bool is_null() const { return bits_ == Tagged(kNullTag, 0); }
  bool is_number() const { return (bits_ & kTagSpace) != kTagSpace; }
  bool is_text() const { return (bits_ >> 48) == (kTagSpace >> 48 | kTextTag); }
  double number() const { return std::bit_cast<double>(bits_); }
  Interner::Id text() const { return static_cast<Interner::Id>(bits_); }
  uint64_t bits() const { return bits_; }

  Value Load(const Interner& interner) const;
  void Release(Interner* interner) const { if (is_text()) interner->Release(text()); }
  bool operator==(const Stored&) const = default;

 private:
  static constexpr uint64_t kTagSpace = 0xFFF8'0000'0000'0000;  // negative quiet NaN: JSON has none
  static constexpr uint64_t kNullTag = 0, kBoolTag = 1, kTextTag = 2, kTimeTag = 3;
  static constexpr uint64_t Tagged(uint64_t tag, uint64_t payload) { return kTagSpace | tag << 48 | payload; }

  uint64_t bits_ = Tagged(kNullTag, 0);
};

// Writes text in full, so that the bytes do not depend on interned ids.
void WriteStored(Stored value, const Interner& interner, ByteWriter* out);
Stored ReadStored(ByteReader* in, Interner* interner);

}  // namespace attune
