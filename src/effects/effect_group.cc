#include "effects/effect_group.h"

#include <algorithm>

namespace attune {
namespace {

constexpr uint8_t kGroup = 16;
constexpr uint8_t kKindBits = 3;
constexpr uint8_t kCorrectedBit = 4;
constexpr uint8_t kSameUserBit = 8;
constexpr uint8_t kNewNameBit = 16;
// Names that a writer remembers. A plan has far fewer, but names of all plans of a process come here.
constexpr size_t kMaxNames = 100'000;

// `{"at":"2026-03-01T10:00:00.000Z",…`
Millis InstantOfLine(std::string_view line) {
  constexpr size_t kFrom = 7, kSize = 24;
  return line.size() < kFrom + kSize ? 0 : ParseRfc3339(line.substr(kFrom, kSize)).value_or(0);
}

// One effect, as stores before version 6 kept it.
std::optional<PublishedEffect> ParseSingle(EffectId id, std::string_view bytes) {
  ByteReader in(bytes);
  PublishedEffect effect;
  effect.id = id;
  const uint8_t kind = in.U8();
  const uint16_t name = in.U16(), user = in.U16();
  effect.name = in.Raw(name);
  effect.user = in.Raw(user);
  if (!in.ok() || kind > static_cast<uint8_t>(EffectKind::kFiring)) return std::nullopt;
  effect.kind = static_cast<EffectKind>(kind);
  effect.detail = in.Raw(in.remaining());
  effect.at = InstantOfLine(effect.detail);
  return effect;
}

}  // namespace

template <typename Visit>
bool EffectGroup::ForEach(const Visit& visit) const {
  if (!bytes_.empty() && static_cast<uint8_t>(bytes_[0]) != kGroup) {
    const auto single = ParseSingle(first_, bytes_);
    if (single) visit(*single);
    return single.has_value();
  }
  ByteReader in(bytes_);
  in.U8();
  const uint64_t size = in.Varint();
  const uint64_t last_sequence = in.U64();
  const EffectId last{last_sequence, in.U32()};
  std::vector<std::string_view> names;
  PublishedEffect effect;
  effect.id = {first_.sequence, 0};
  EffectId before;
  for (uint64_t i = 0; i < size; ++i) {
    const uint64_t step = in.Varint(), index = in.Varint();
    const uint8_t flags = in.U8();
    if (!in.ok() || step >= kMaxSpan || index >= UINT32_MAX || (flags & kKindBits) > 2 || flags >= 2 * kNewNameBit) return false;
    effect.id = {effect.id.sequence + step, static_cast<uint32_t>(index)};
    if (i == 0 ? effect.id != first_ : effect.id <= before) return false;
    before = effect.id;
    effect.kind = static_cast<EffectKind>(flags & kKindBits);
    effect.corrected = (flags & kCorrectedBit) != 0;
    if ((flags & kSameUserBit) == 0) effect.user = in.String();
    if ((flags & kNewNameBit) != 0) {
      effect.name = names.emplace_back(in.String());
    } else {
      const uint64_t place = in.Varint();
      if (place >= names.size()) return false;
      effect.name = names[place];
    }
    effect.at = static_cast<Millis>(static_cast<uint64_t>(effect.at) + static_cast<uint64_t>(in.Zigzag()));
    effect.detail = effect.kind == EffectKind::kFiring ? in.String() : std::string_view();
    if (!in.ok()) return false;
    visit(effect);
  }
  return in.done() && size > 0 && before == last && before.sequence - first_.sequence < kMaxSpan;
}

std::optional<EffectGroup> EffectGroup::Parse(EffectId first, std::string_view bytes) {
  EffectGroup group(first, first, 0, std::string(bytes));
  const bool whole = group.ForEach([&](const PublishedEffect& effect) {
    group.last_ = effect.id;
    ++group.size_;
  });
  if (!whole) return std::nullopt;
  return group;
}

void EffectGroup::Read(EffectId after, EffectId up_to, std::vector<PublishedEffect>* effects) const {
  ForEach([&](const PublishedEffect& effect) {
    if (effect.id > after && effect.id <= up_to) effects->push_back(effect);
  });
}

void EffectGroupWriter::Add(const PublishedEffect& effect) {
  const bool begins = empty();
  body_.Varint(begins ? 0 : effect.id.sequence - last_.sequence);
  body_.Varint(effect.id.index);
  const bool same_user = !begins && effect.user == user_;
  if (names_.size() > kMaxNames) names_.clear();
  auto name = names_.find(effect.name);
  if (name == names_.end()) name = names_.emplace(std::string(effect.name), Name{}).first;
  const bool new_name = name->second.group != group_;
  if (new_name) name->second = {group_, names_in_group_++};
  body_.U8(static_cast<uint8_t>(static_cast<uint8_t>(effect.kind) | (effect.corrected ? kCorrectedBit : 0) |
                                (same_user ? kSameUserBit : 0) | (new_name ? kNewNameBit : 0)));
  if (!same_user) {
    body_.String(effect.user);
    user_ = effect.user;
  }
  if (new_name) {
    body_.String(effect.name);
  } else {
    body_.Varint(name->second.place);
  }
  body_.Zigzag(static_cast<int64_t>(static_cast<uint64_t>(effect.at) - static_cast<uint64_t>(begins ? 0 : at_)));
  if (effect.kind == EffectKind::kFiring) body_.String(effect.detail);
  at_ = effect.at;
  if (begins) first_ = effect.id;
  last_ = effect.id;
  ++size_;
}

EffectGroup EffectGroupWriter::Take() {
  ByteWriter bytes;
  bytes.U8(kGroup);
  bytes.Varint(size_);
  bytes.U64(last_.sequence);
  bytes.U32(last_.index);
  bytes.Raw(body_.view());
  body_.Clear();
  ++group_;
  names_in_group_ = 0;
  return EffectGroup(first_, last_, std::exchange(size_, 0), bytes.Take());
}

std::vector<PublishedEffect> MergeGroups(const std::vector<std::shared_ptr<const EffectGroup>>& groups, EffectId after, EffectId up_to) {
  std::vector<PublishedEffect> effects;
  for (const auto& group : groups) {
    if (group->last() > after && group->first() <= up_to) group->Read(after, up_to, &effects);
  }
  const auto by_id = [](const PublishedEffect& a, const PublishedEffect& b) { return a.id < b.id; };
  if (!std::is_sorted(effects.begin(), effects.end(), by_id)) std::stable_sort(effects.begin(), effects.end(), by_id);
  effects.erase(std::unique(effects.begin(), effects.end(), [](const auto& a, const auto& b) { return a.id == b.id; }), effects.end());
  return effects;
}

}  // namespace attune
