// The engine as something that the oracle can be held against.
#pragma once

#include "oracle/timeline.h"

namespace attune::oracle {

// Runs the records through the bytes that the log keeps and the very engine that serves.
RunResult RunEngine(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same by an engine to which a series of three entries is long already.
RunResult RunEngineWithLongSeries(const Plan& plan, const std::vector<Record>& records, const RunOptions& options);

// The same as the first without values, by an engine that is stopped before every record and goes on from the bytes of its users.
RunResult RunEngineRestored(const Plan& plan, const std::vector<Record>& records,
                            const RunOptions& options);

}  // namespace attune::oracle
