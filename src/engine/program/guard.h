// Guards: tests that avoid judging conditions. An event changes few of the conditions that listen to it, and one
// instant usually decides which. If the second latest purchase is a day old, the next purchase does not make
// `count(purchase[1h]) >= 3` true.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "engine/program/condition_set.h"
#include "plan/plan.h"

namespace attune {

struct Program;

// Tests one comparison for an event that was just added to its series as the latest. If the test is false, the event
// neither changes the outcome of the comparison nor shortens how long it lasts. The same then holds for every `and`,
// `or` and `not` of such comparisons.
struct Guard {
  enum class Kind : uint8_t {
    kCount,   // whether `least` events are in the window, and were not before this one
    kEnough,  // whether `least` events are in the window
    kSum,     // whether the values in the window reach `bound`, or come so close that rounding decides
    kValue,   // whether the value alone compares differently; only if the comparison is the whole condition
  };
  Kind kind = Kind::kCount;
  Window::Kind window = Window::Kind::kEver;  // kSliding, kSession; any other is treated as holding all events
  bool alone = false;     // the condition is the comparison, or `not` of it
  bool negated = false;   // the condition has the comparison under `not`
  bool numeric = false;   // of kValue: only values that are numbers matter
  bool latest = false;    // of kValue: only the latest event decides, until it leaves the window
  bool when_reached = true;  // the outcome while the bound is reached, or while the latest value compares
  bool settled[2] = {false, false};  // [0]: no event makes a condition true that is false; [1]: the reverse
  ConditionId condition = 0;
  uint32_t least = 0;
  uint32_t comparison = 0;  // of kValue: the node
  Millis length = 0;
  double bound = 0;
  double doubt = 0;       // within this distance of the bound, rounding may decide
};

// `since(S) >= d` among the operands of an `and` that is a condition. At an event of S the condition becomes false and
// stays false for the wait, whatever the other operands are.
struct Wait {
  ConditionId condition = 0;
  Millis length = 0;
};

// The conditions that the events of a selector may affect.
struct Listeners {
  struct OfSeries {
    uint32_t series = 0;
    std::vector<Guard> guards;  // guards of sums are ordered by their bounds
  };
  ConditionSet all;
  ConditionSet unguarded;  // judged at every event
  // Conditions that an event in order can only change from false to true (or only from true to false), at every instant
  // from then on. A condition that already has that outcome keeps it at least as long as before.
  ConditionSet rising;
  ConditionSet falling;
  std::vector<Wait> waits;
  std::vector<OfSeries> series;

  void Add(uint32_t series_index, const Guard& guard);
  // Removes guards that are not needed. Call once, after everything is added.
  void Finish();
};

// The guard of a comparison, tested for events of the comparison's series. `alone`: the condition is the comparison or
// `not` of it.
std::optional<Guard> GuardOf(const Program& program, uint32_t comparison, bool alone);
// How long an event of a selector prevents a condition from holding; nullopt if it does not.
std::optional<Millis> WaitOf(const Program& program, uint32_t root, uint32_t selector);

}  // namespace attune
