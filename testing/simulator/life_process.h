// A life in a process of its own, so that whatever ends that process is a report with its seed.
#pragma once

#include "simulator/simulation.h"

namespace attune {

// As Simulate. The calling process must have one thread.
SimulationReport SimulateApart(const SimulationOptions& options);

}  // namespace attune
