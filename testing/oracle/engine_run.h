// The engine as something that the oracle can be held against.
#pragma once

#include "engine/engine.h"
#include "oracle/timeline.h"

namespace attune::oracle {

// What the engine knows of a user at an instant that is not before her clock.
UserValues ValuesOf(Engine* engine, const UserState& user, Millis at);

// Runs the records through the bytes that the log keeps and the very engine that serves. Of
// interludes it knows merges that are undone.
RunResult RunEngine(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same by an engine to which a series of three entries is long already.
RunResult RunEngineWithLongSeries(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same as the first without values, by an engine that is stopped before every record and goes on from the bytes of its users.
RunResult RunEngineRestored(const Plan& plan, const std::vector<Record>& records,
                            const RunOptions& options);

}  // namespace attune::oracle
