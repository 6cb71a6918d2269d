#include "simulator/simulation.h"

#include "simulator/life.h"

namespace attune {

std::string_view NameOf(Promise promise) {
  switch (promise) {
    case Promise::kNone: return "none";
    case Promise::kLog: return "log";
    case Promise::kState: return "state";
    case Promise::kEffects: return "effects";
    case Promise::kLetters: return "letters";
    case Promise::kEnds: return "ends";
    case Promise::kWork: return "work";
    case Promise::kAlive: return "alive";
  }
  return "";
}

void LifeCounts::Add(const LifeCounts& other) {
  for (uint64_t LifeCounts::*count :
       {&LifeCounts::steps, &LifeCounts::records, &LifeCounts::effects, &LifeCounts::starts, &LifeCounts::kills, &LifeCounts::power_cuts,
        &LifeCounts::sent_again, &LifeCounts::refused, &LifeCounts::unmerges, &LifeCounts::plan_changes, &LifeCounts::plans_entered,
        &LifeCounts::letters, &LifeCounts::questions, &LifeCounts::gave_up, &LifeCounts::loop_bytes_read, &LifeCounts::records_read_back,
        &LifeCounts::meetings}) {
    this->*count += other.*count;
  }
}

SimulationReport Simulate(const SimulationOptions& options) { return simulate::Life(options).Run(); }

}  // namespace attune
