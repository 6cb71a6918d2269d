// Two runs of one case held against each other, and what to do when they differ.
#pragma once

#include <cstdint>
#include <string>

#include "oracle/generator.h"
#include "oracle/timeline.h"

namespace attune::oracle {

// How many cases a test tries, or from which seed: the number that an environment variable says, or `otherwise`.
uint64_t Setting(const char* name, uint64_t otherwise);

// The first difference in words, or "" when there is none (or a run gave up, which says nothing).
std::string Difference(const RunResult& expected, const RunResult& found);

// The same for a case: the oracle is expected, `run` is found. "" when the plan does not load.
std::string Difference(const Case& made, const RunFn& run);

// A case that still differs and from which nothing more can be dropped: records, segments, metrics,
// instants, settings, parts of expressions. Requires that `made` differs.
Case Shrink(Case made, const RunFn& run);

// The case as files that `attune replay` reads, the command, and both runs.
std::string Report(const Case& made, const RunFn& run);

}  // namespace attune::oracle
