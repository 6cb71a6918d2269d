// Runs of the engine, to compare with the oracle.
#pragma once

#include "engine/engine.h"
#include "oracle/timeline.h"

namespace attune::oracle {

// The engine's values for a user at an instant that is not before the user's clock.
UserValues ValuesOf(Engine* engine, const UserState& user, Millis at);

// Runs the records, as bytes of the log, through the production engine. Of interludes it supports undone merges.
RunResult RunEngine(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same with an engine for which a series of three entries is already long.
RunResult RunEngineWithLongSeries(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same as RunEngine without values, with an engine that is stopped before every record and continues from the bytes
// of its users.
RunResult RunEngineRestored(const Plan& plan, const std::vector<Record>& records,
                            const RunOptions& options);

}  // namespace attune::oracle
