// A group: the effects of consecutive records of one lane as one value of the store. A group costs one write, however many
// effects it has, and an effect of it takes about 10 bytes: names and users are written once.
//
// Bytes (see base/bytes.h): u8 16; varint, how many effects; u64 and u32, the id of the last; then for each effect
//   varint  its sequence minus the sequence before it (of the first: 0), then a varint, its index
//   u8      bits 0-1: kind; 2: corrected; 3: the user is the one of the effect before; 4: the name is new in this group
//   string  the user, unless bit 3 is set
//   string  the name if bit 4 is set; otherwise a varint, its place among the names of this group
//   zigzag  its instant minus the one before it (of the first: minus 0)
//   string  of a firing: the detail
// A value that begins with 0, 1 or 2 is one effect, as stores before version 6 kept them: u8 kind, u16 bytes of the name, u16
// bytes of the user, name, user, line.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/text_map.h"
#include "effects/effect.h"

namespace attune {

// Immutable. It has at least one effect, and ids increase.
class EffectGroup {
 public:
  // The last effect's sequence is less than this above the first one's. So effects after an id are in groups that begin after
  // the id or less than this before it.
  static constexpr uint64_t kMaxSpan = 1024;

  // From bytes() of another group, which begins with this id. nullopt: not the bytes of a group.
  static std::optional<EffectGroup> Parse(EffectId first, std::string_view bytes);

  EffectId first() const { return first_; }
  EffectId last() const { return last_; }
  size_t size() const { return size_; }
  const std::string& bytes() const { return bytes_; }

  // Appends the effects with after < id <= up_to. Their views live as long as the group.
  void Read(EffectId after, EffectId up_to, std::vector<PublishedEffect>* effects) const;

 private:
  friend class EffectGroupWriter;
  EffectGroup(EffectId first, EffectId last, size_t size, std::string bytes)
      : first_(first), last_(last), size_(size), bytes_(std::move(bytes)) {}
  // Calls `visit` for each effect; false: the bytes are none of a group.
  template <typename Visit>
  bool ForEach(const Visit& visit) const;

  EffectId first_;
  EffectId last_;
  size_t size_ = 0;
  std::string bytes_;
};

// Writes one group after another.
class EffectGroupWriter {
 public:
  bool empty() const { return size_ == 0; }
  size_t bytes() const { return body_.size(); }
  // Whether an effect with this id can follow those of the group at hand. An empty one takes any.
  bool MayAdd(EffectId id) const { return empty() || (id > last_ && id.sequence - first_.sequence < EffectGroup::kMaxSpan); }
  void Add(const PublishedEffect& effect);
  // The group at hand, which is not empty; the next begins.
  EffectGroup Take();

 private:
  struct Name {
    uint64_t group = 0;  // the last in which it was written
    uint32_t place = 0;  // there
  };

  uint64_t group_ = 1;
  EffectId first_;
  EffectId last_;
  size_t size_ = 0;
  Millis at_ = 0;
  std::string user_;  // of the last effect
  uint32_t names_in_group_ = 0;
  TextMap<Name> names_;
  ByteWriter body_;
};

// The effects of these groups with after < id <= up_to, in order. Groups may overlap, and may have effects in common.
std::vector<PublishedEffect> MergeGroups(const std::vector<std::shared_ptr<const EffectGroup>>& groups, EffectId after, EffectId up_to);

}  // namespace attune
