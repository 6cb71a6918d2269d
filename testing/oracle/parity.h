// Compares two runs of one case, and shrinks a case that differs.
#pragma once

#include <cstdint>
#include <string>

#include "oracle/generator.h"
#include "oracle/timeline.h"

namespace attune::oracle {

// The number of cases or the first seed of a test: the value of an environment variable, or `otherwise`.
uint64_t Setting(const char* name, uint64_t otherwise);

// The first difference in words; "" if there is none, or if a run gave up.
std::string Difference(const RunResult& expected, const RunResult& found);

// The same for a case: expects the oracle's result from `run`. "" if the plan does not load.
std::string Difference(const Case& made, const RunFn& run);

// A case that still differs, but from which nothing more can be removed: records, segments, metrics, instants,
// settings, parts of expressions. Requires that `made` differs.
Case Shrink(Case made, const RunFn& run);

// The case as files that `attune replay` reads, the command, and both runs.
std::string Report(const Case& made, const RunFn& run);

}  // namespace attune::oracle
