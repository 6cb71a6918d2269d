// What spares conditions from being judged. An event changes few of the conditions that listen to it, and most often a look
// at one instant tells which: where the purchase before the last one is a day old, the next does not make
// `count(purchase[1h]) >= 3`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "engine/program/condition_set.h"
#include "plan/plan.h"

namespace attune {

struct Program;

// A test of one comparison, for an event that its series has just taken in as the latest. When it finds nothing, the
// comparison comes out as without the event and lasts no shorter: then so does every `and`, `or` and `not` of such.
struct Guard {
  enum class Kind : uint8_t {
    kCount,   // whether `least` events are in the window, and were not without this one
    kEnough,  // whether `least` events are in the window
    kSum,     // whether the values in the window come to `bound`, or so near that rounding decides
    kValue,   // whether the value alone compares otherwise than the comparison, which is all that the condition says
  };
  Kind kind = Kind::kCount;
  Window::Kind window = Window::Kind::kEver;  // kSliding, kSession; any other is taken to hold all events
  bool alone = false;     // the condition says nothing but the comparison, or `not` it
  bool negated = false;   // it is `not` the comparison
  bool numeric = false;   // of kValue: only numbers say anything
  bool latest = false;    // of kValue: of last(…), which stays until this very event leaves the window
  bool when_reached = true;  // how the condition comes out while the bound is reached, or the latest value compares
  bool settled[2] = {false, false};  // a condition that does not hold, or does, stays so whatever the event
  ConditionId condition = 0;
  uint32_t least = 0;
  uint32_t comparison = 0;  // of kValue: the node
  Millis length = 0;
  double bound = 0;
  double doubt = 0;       // so near to the bound rounding may decide
};

// `since(S) >= d` among the things that must all hold for a condition: at an event of S it is false, and stays so for the
// wait, whatever the others say.
struct Wait {
  ConditionId condition = 0;
  Millis length = 0;
};

// Who listens to the events of a selector.
struct Listeners {
  struct OfSeries {
    uint32_t series = 0;
    std::vector<Guard> guards;  // those of sums in the order of their bounds
  };
  ConditionSet all;
  ConditionSet unguarded;  // to be judged at every event
  // Conditions that an event in order can turn only from false to true (or only from true to false), at every instant from
  // then on: what came out so stays, and lasts no shorter than it was going to.
  ConditionSet rising;
  ConditionSet falling;
  std::vector<Wait> waits;
  std::vector<OfSeries> series;

  void Add(uint32_t series_index, const Guard& guard);
  // Leaves guards to those alone that need them. To be called when all is added.
  void Finish();
};

// The guard of a comparison, whose series it then is about; `alone`: it is all that the condition says.
std::optional<Guard> GuardOf(const Program& program, uint32_t comparison, bool alone);
// How long an event of a selector keeps a condition from holding, if it does.
std::optional<Millis> WaitOf(const Program& program, uint32_t root, uint32_t selector);

}  // namespace attune
