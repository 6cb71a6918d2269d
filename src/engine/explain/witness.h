// Finds the events that made a sequence's value: those that its runs matched. They are computed from a user's events on
// demand; the engine itself keeps only where runs began and ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/sequence/sequence.h"
#include "engine/series/stored.h"

namespace attune {

// One of the user's events as a sequence sees it.
struct WitnessEvent {
  Millis time = 0;
  // False: the event only separates its neighbours for `=>` (it has another key, or lacks the property of `by`).
  bool seen = true;
  Stored key;                           // the property of `by`; null without `by`
  std::span<const uint32_t> selectors;  // that match it, ascending
};

// The events that a run matched, one for each step from the first, as indexes into the given events.
using Witness = std::vector<size_t>;

// Returns the run that comes furthest; of several, the one that began last, and then the one that ended first. Empty if
// no event matches the first step. `events` are all events of the user in the window, in the order of time and log.
// Linear in events times steps.
Witness FurthestRun(const SequenceProgram& program, const SequenceProgram::Sequence& sequence, std::span<const WitnessEvent> events);
// The matches that matches(…) counts, in order.
std::vector<Witness> CountedMatches(const SequenceProgram& program, const SequenceProgram::Sequence& sequence,
                                    std::span<const WitnessEvent> events);

}  // namespace attune
