// Effects as the outbox keeps them and its readers see them: names and JSON, no indexes into a program, so that they stay
// valid under another plan.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
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

// One effect. The views live as long as the group that the effect was read from, or the call that it was passed to.
struct PublishedEffect {
  EffectId id;
  EffectKind kind = EffectKind::kEnter;
  bool corrected = false;  // of a transition: a late event changed what was published before
  Millis at = 0;
  std::string_view name;  // of the segment or trigger
  std::string_view user;
  // Of a firing: FiringDetail. Of an effect that a version of the store before 6 kept: its line.
  std::string_view detail;

  // A line of transitions.ndjson or firings.ndjson, without a line break.
  std::string Json() const;
};

// Calls `visit` for each effect of a record, ordered by instant, then user. Effects of one user and instant keep the
// engine's order, transitions first. (The order in which timers of several users fire depends on when each user was
// last evaluated, so it differs after a restart.) `first`: the index of the first effect.
void ForEachEffect(uint64_t sequence, const Effects& effects, const Program& program, uint32_t first,
                   const std::function<void(const PublishedEffect&)>& visit);

}  // namespace attune
