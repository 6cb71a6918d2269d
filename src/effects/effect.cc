#include "effects/effect.h"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <vector>

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

std::string PublishedEffect::Json() const {
  if (detail.starts_with('{')) return std::string(detail);
  if (kind == EffectKind::kFiring) return FiringJson(at, name, user, detail);
  return TransitionJson(at, user, name, kind == EffectKind::kEnter, corrected);
}

namespace {

struct Place {
  Millis at;
  std::string_view user;
  const Transition* transition;
  const TriggerFiring* firing;
};

bool IsBefore(const Place& a, const Place& b) { return std::tie(a.at, a.user) < std::tie(b.at, b.user); }

}  // namespace

void ForEachEffect(uint64_t sequence, const Effects& effects, const Program& program, uint32_t first,
                   const std::function<void(const PublishedEffect&)>& visit) {
  std::vector<Place> places;
  places.reserve(effects.transitions.size() + effects.firings.size());
  for (const Transition& t : effects.transitions) places.push_back({t.at, t.user->id(), &t, nullptr});
  for (const TriggerFiring& f : effects.firings) places.push_back({f.at, f.user->id(), nullptr, &f});
  if (!std::is_sorted(places.begin(), places.end(), IsBefore)) std::stable_sort(places.begin(), places.end(), IsBefore);
  PublishedEffect effect;
  effect.id = {sequence, first};
  for (const Place& place : places) {
    std::string detail;
    if (const TriggerFiring* firing = place.firing) {
      detail = FiringDetail(*firing);
      effect.kind = EffectKind::kFiring;
      effect.name = program.conditions[firing->trigger].name;
      effect.corrected = false;
    } else {
      effect.kind = place.transition->enter ? EffectKind::kEnter : EffectKind::kLeave;
      effect.name = program.conditions[place.transition->segment].name;
      effect.corrected = place.transition->corrected;
    }
    effect.at = place.at;
    effect.user = place.user;
    effect.detail = detail;
    visit(effect);
    ++effect.id.index;
  }
}

}  // namespace attune
