#include "effects/effect.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/output.h"

namespace attune {
namespace {

constexpr uint32_t kNoIndex = std::numeric_limits<uint32_t>::max();

template <typename Number>
bool ParseWhole(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

void AppendBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

uint64_t ReadBigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace

std::string ToText(EffectId id) {
  std::string text = std::to_string(id.sequence);
  return id.index == kNoIndex ? text : text + '-' + std::to_string(id.index);
}

std::optional<EffectId> ParseEffectId(std::string_view text) {
  EffectId id{0, kNoIndex};
  const size_t dash = text.find('-');
  if (!ParseWhole(text.substr(0, dash), &id.sequence)) return std::nullopt;
  if (dash != std::string_view::npos && !ParseWhole(text.substr(dash + 1), &id.index)) return std::nullopt;
  return id;
}

std::string EffectKey(EffectId id) {
  std::string key;
  AppendBigEndian(id.sequence, 8, &key);
  AppendBigEndian(id.index, 4, &key);
  return key;
}

std::optional<EffectId> EffectOfKey(std::string_view key) {
  if (key.size() != 12) return std::nullopt;
  return EffectId{ReadBigEndian(key.substr(0, 8)), static_cast<uint32_t>(ReadBigEndian(key.substr(8)))};
}

PublishedEffect::PublishedEffect(EffectId id, std::string bytes, uint16_t name_bytes, uint16_t user_bytes)
    : id_(id), name_bytes_(name_bytes), user_bytes_(user_bytes), bytes_(std::move(bytes)) {}

PublishedEffect::PublishedEffect(EffectId id, EffectKind kind, std::string_view name, std::string_view user, std::string_view json)
    : id_(id), name_bytes_(static_cast<uint16_t>(name.size())), user_bytes_(static_cast<uint16_t>(user.size())) {
  ATTUNE_CHECK(name_bytes_ == name.size() && user_bytes_ == user.size(), "names and ids have limits far below 64 KiB");
  std::string room;
  room.reserve(kHeadBytes + name.size() + user.size() + json.size());
  ByteWriter out(std::move(room));
  out.U8(static_cast<uint8_t>(kind));
  out.U16(name_bytes_);
  out.U16(user_bytes_);
  out.Raw(name);
  out.Raw(user);
  out.Raw(json);
  bytes_ = out.Take();
}

std::optional<PublishedEffect> PublishedEffect::Parse(EffectId id, std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t kind = in.U8();
  const uint16_t name_bytes = in.U16();
  const uint16_t user_bytes = in.U16();
  in.Raw(name_bytes);
  in.Raw(user_bytes);
  if (!in.ok() || kind > static_cast<uint8_t>(EffectKind::kFiring)) return std::nullopt;
  return PublishedEffect(id, std::string(bytes), name_bytes, user_bytes);
}

void PublishEffects(uint64_t sequence, const Effects& effects, const Program& program, std::vector<PublishedEffect>* published, uint32_t first) {
  struct Place {
    Millis at;
    std::string_view user;
    const Transition* transition;
    const TriggerFiring* firing;
  };
  std::vector<Place> places;
  for (const Transition& t : effects.transitions) places.push_back({t.at, t.user->id(), &t, nullptr});
  for (const TriggerFiring& f : effects.firings) places.push_back({f.at, f.user->id(), nullptr, &f});
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return std::tie(a.at, a.user) < std::tie(b.at, b.user); });
  EffectId id{sequence, first};
  for (const Place& place : places) {
    if (const Transition* t = place.transition) {
      published->emplace_back(id, t->enter ? EffectKind::kEnter : EffectKind::kLeave, program.conditions[t->segment].name,
                         place.user, TransitionJson(*t, program));
    } else {
      const TriggerFiring& firing = *place.firing;
      published->emplace_back(id, EffectKind::kFiring, program.conditions[firing.trigger].name, place.user,
                         FiringJson(firing, program));
    }
    ++id.index;
  }
}

}  // namespace attune
