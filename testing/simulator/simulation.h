// The whole life of a runtime from a seed: a random plan, clients that send a random history, and all that can go wrong on
// the way. The runtime is the one that serves, on a disk in memory, with a clock that is turned by hand, and without
// threads: what happens next is drawn. So a seed that fails fails again, at the same place.
//
// What goes wrong: the process is killed, the power is cut (what was not synced is lost, in part, in sectors out of order),
// also while the next start recovers; the store loses its latest batches; disks run full and have room again; a sync
// fails; clients that got no answer send again, and some that got one; events come late. The process also ends in order now
// and then.
//
// What must hold, judged after each start and in the end:
// - every record that was answered as accepted is in the log, byte for byte, and none that was not sent;
// - memberships, metrics, transitions and firings are those of the oracle over the log's events and ticks, each once;
// - the same comes of the log when the store is empty;
// - a client of the outbox that comes back with its last id after each crash has heard every effect once, in order.
//
// Reads do not fail, nor does opening what is read: a runtime that cannot read back what it must merge ends at once (the fault tests bring that about).
// There is one loop (several that meet at a barrier need threads; the tests that kill the binary have these). Plans do not
// change on the way, and no merge is undone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace attune {

struct SimulationOptions {
  uint64_t seed = 1;
  // Told of each thing that happens, in words; empty: nobody asks.
  std::function<void(const std::string& what)> trace;
  // Breaks the promise on purpose, so that one sees that it would be noticed: the disk forgets what was synced.
  bool lying_disk = false;
};

struct SimulationReport {
  uint64_t steps = 0;
  uint64_t records = 0;    // in the log in the end, those sent again included
  uint64_t effects = 0;    // transitions and firings
  uint64_t starts = 0;
  uint64_t kills = 0;      // of the process alone
  uint64_t power_cuts = 0;
  uint64_t sent_again = 0;
  uint64_t refused = 0;    // requests that found a full or a failed disk
  // Empty: all held. Else what did not, with the plan and the history.
  std::string failure;
  // The oracle gave the plan up: what it says of effects was not looked at.
  bool gave_up = false;
};

SimulationReport Simulate(const SimulationOptions& options);

}  // namespace attune
