// The whole life of a runtime from a seed: random plans, clients that send a random history, and
// everything that can go wrong on the way. The runtime is the one that serves, on a disk in memory,
// with a clock that is turned by hand, and without threads: what happens next is drawn. So a seed
// that fails fails again, at the same place.
//
// What happens: events, links between ids in chains and stars, un-merges one by one and in bursts,
// dead letters and their replays, questions, changes of the plan also while one is under way; by
// one to four loops in any interleaving, one of which may stand for long.
//
// What goes wrong: the process is killed, the power is cut (what was not synced is lost, in part,
// in sectors out of order), most of all soon after links, un-merges and changes of the plan, and
// also while the next start recovers; the store loses its latest batches; disks run full and have
// room again; syncs, writes, reads and opens fail; clients that got no answer send again, and some
// that got one; events come late. The process also ends in order now and then.
//
// What must hold, judged on the way, after each start, and in the end: see Promise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace attune {

// What a life is about, beside events, restarts and crashes.
struct Subjects {
  bool merges = false;   // links in chains and stars, un-merges
  bool plans = false;    // the plan changes, also while a change is under way
  bool reads = false;    // reads and opens fail
  bool letters = false;  // dead letters and their replays
  bool crowd = false;    // many links and long histories: what a merge may cost
  bool any() const { return merges || plans || reads || letters || crowd; }
};

enum class Promise {
  kNone,
  // Every record that was answered as accepted is in the log where the answer said, byte for byte,
  // and nothing that was not sent.
  kLog,
  // Memberships, metrics and answers are those of the oracle over the log's records under the plan
  // in force; the same comes of the log when the store is empty; what a snapshot holds is what the
  // log gives up to it.
  kState,
  // Transitions and firings are those of the oracle, each once; at a change of the plan, the
  // differences of memberships and no firing; a client of the outbox that comes back with its last
  // id after each crash hears every effect once, in order.
  kEffects,
  // Each dead letter, and each replay, is kept once, and before a snapshot that includes it.
  kLetters,
  // Whatever has begun ends: within a bounded number of steps questions are
  // answered, changes of the plan are done, failed or cancelled, and no loop has anything left.
  kEnds,
  // Loops read nothing from the disk; links, meetings and records read back stay within the bounds
  // of work.h.
  kWork,
  // The process ends by itself only with a reason, never at a failed check or a bad access.
  kAlive,
};
// One word.
std::string_view NameOf(Promise promise);

struct SimulationOptions {
  uint64_t seed = 1;
  // Exactly these subjects, instead of those that the seed draws.
  Subjects only;
  // Told of each thing that happens, in words; empty: nobody asks.
  std::function<void(const std::string& what)> trace;
  // Breaks the promise on purpose, so that one sees that it would be noticed: the disk forgets what
  // was synced.
  bool lying_disk = false;
  // Promise::kWork is not judged.
  bool any_work = false;
};

// Counts of one life, and of several when they are added up. Only numbers: it is copied between
// processes.
struct LifeCounts {
  uint64_t steps = 0;
  uint64_t records = 0;       // in the log in the end, those sent again included
  uint64_t effects = 0;       // transitions and firings
  uint64_t starts = 0;
  uint64_t kills = 0;         // of the process alone
  uint64_t power_cuts = 0;
  uint64_t sent_again = 0;
  uint64_t refused = 0;       // requests that found a full or a failed disk
  uint64_t unmerges = 0;      // accepted
  uint64_t plan_changes = 0;  // begun
  uint64_t plans_entered = 0;
  uint64_t letters = 0;       // and replays, in the log
  uint64_t questions = 0;     // answered
  uint64_t gave_up = 0;       // lives of which the oracle gave up a plan: not all effects were looked at
  // Work, while the process ran (recoveries apart).
  uint64_t loop_bytes_read = 0;    // by loops, which stand meanwhile
  uint64_t records_read_back = 0;  // from the log by their numbers
  uint64_t meetings = 0;           // of all loops

  void Add(const LifeCounts& other);
};

struct SimulationReport {
  LifeCounts counts;
  Promise broken = Promise::kNone;
  // What did not hold, with the plans and the history; empty when all held.
  std::string failure;
};

// In this process: a failed check ends it. See life_process.h.
SimulationReport Simulate(const SimulationOptions& options);

}  // namespace attune
