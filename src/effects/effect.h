// Effects as the outbox stores them and the stream sends them. They hold names and JSON, no indexes into a program, so
// they stay valid under another plan.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace attune {

// The position of the effect's record, and the effect's index among that record's effects. Applying the record again to
// the same state gives the same ids to the same effects.
struct EffectId {
  uint64_t sequence = 0;
  uint32_t index = 0;
  auto operator<=>(const EffectId&) const = default;
};

// After every effect of the records up to this one.
constexpr EffectId After(uint64_t sequence) { return {sequence, std::numeric_limits<uint32_t>::max()}; }

// `17-0`; the result of After is `17`.
std::string ToText(EffectId id);
std::optional<EffectId> ParseEffectId(std::string_view text);

// Twelve bytes that sort as ids do. nullopt: not twelve bytes.
std::string EffectKey(EffectId id);
std::optional<EffectId> EffectOfKey(std::string_view key);

enum class EffectKind : uint8_t { kLeave = 0, kEnter = 1, kFiring = 2 };

class PublishedEffect {
 public:
  PublishedEffect(EffectId id, EffectKind kind, std::string_view name, std::string_view user, std::string_view json);
  // From bytes() of another effect. nullopt: not the bytes of an effect.
  static std::optional<PublishedEffect> Parse(EffectId id, std::string_view bytes);

  EffectId id() const { return id_; }
  // The views are valid until the effect is moved or destroyed.
  EffectKind kind() const { return static_cast<EffectKind>(bytes_[0]); }
  std::string_view name() const { return std::string_view(bytes_).substr(kHeadBytes, name_bytes_); }  // segment, trigger
  std::string_view user() const { return std::string_view(bytes_).substr(kHeadBytes + name_bytes_, user_bytes_); }
  // A line of transitions.ndjson or firings.ndjson.
  std::string_view json() const { return std::string_view(bytes_).substr(kHeadBytes + name_bytes_ + user_bytes_); }

  // u8 kind, u16 bytes of the name, u16 bytes of the user, name, user, JSON.
  const std::string& bytes() const { return bytes_; }

 private:
  static constexpr size_t kHeadBytes = 5;
  PublishedEffect(EffectId id, std::string bytes, uint16_t name_bytes, uint16_t user_bytes);

  EffectId id_;
  uint16_t name_bytes_;
  uint16_t user_bytes_;
  std::string bytes_;
};

// Appends all effects of a record to `published`, ordered by instant, then user. Effects of one user and instant keep
// the engine's order, transitions first. (The order in which timers of several users fire depends on when each user was
// last evaluated, so it differs after a restart.) `first`: the index of the first effect.
void PublishEffects(uint64_t sequence, const Effects& effects, const Program& program, std::vector<PublishedEffect>* published, uint32_t first = 0);

}  // namespace attune
