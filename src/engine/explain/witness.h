// Which events made a sequence's value: those that its runs took. Told from a user's events alone, when somebody asks;
// the engine itself remembers no more than where runs began and ended.
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
  // False: it only keeps its neighbours from being each other's very next (another key's, or without the property of `by`).
  bool seen = true;
  Stored key;                           // the property of `by`; null without `by`
  std::span<const uint32_t> selectors;  // those that select it, ascending
};

// The events that a run took, by step from the first: their numbers among those given.
using Witness = std::vector<size_t>;

// Of the runs through the events that come furthest, the one that began last, and of those the one that ended first; empty
// when none has the first step. `events` are all of the user's in the window, in the order of time and log. Linear in
// events times steps.
Witness FurthestRun(const SequenceProgram& program, const SequenceProgram::Sequence& sequence, std::span<const WitnessEvent> events);
// The matches that matches(…) counts, in their order.
std::vector<Witness> CountedMatches(const SequenceProgram& program, const SequenceProgram::Sequence& sequence,
                                    std::span<const WitnessEvent> events);

}  // namespace attune
