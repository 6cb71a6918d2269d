// Changes the plan while the server runs. The state under the new plan is built from the log in the background; then
// all loops switch to it at one record of the log.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/workers.h"
#include "identity/identity.h"
#include "log/log.h"
#include "shard/plan_state.h"

namespace attune {

// The progress of the latest change.
struct PlanProgress {
  enum class State { kNone, kReading, kChanging, kDone, kFailed, kCancelled };
  State state = State::kNone;
  uint64_t fingerprint = 0;  // of the new plan
  uint64_t done = 0;         // records of the log that the new state includes
  uint64_t total = 0;        // records of the log
  Millis began = 0;
  std::string failure;
};

// Executes changes of the plan, one at a time. A new change replaces one that is in progress, unless the record of that
// one is already in the log; then it follows it.
//
// The loops agree on a change through the log: the record that Append writes carries a token. The only valid token is
// that of the change whose record is in the log, until every loop has passed it.
class PlanChanges {
 public:
  struct Host {
    Log* log;
    const Store* store;
    int loops;
    std::function<Millis()> clock;
    std::function<void()> wake_loops;
    // Makes the router mark new records for a plan with this identity; see Router.
    std::function<void(const Identity&)> mark_for;
  };

  PlanChanges(Host host, Workers* workers);
  // Requires that the loops have ended. Discards a change in progress.
  ~PlanChanges();

  // --- any thread ---

  // Begins a change from the plan with the fingerprint `present` to another. Returns false if that plan is in force, or
  // will be once the records in the log are applied. Cancels a change that has not reached the log in either case.
  bool Request(std::shared_ptr<const Plan> plan, uint64_t present);
  PlanProgress progress() const;
  // Cancels a change that has not reached the log. One that has is completed, because the loops wait for it.
  void Close();

  // --- loops ---

  // Whether this is the record at which a change takes place. All loops get the same answer.
  bool IsChange(const RecordView& record) const;
  // Whether Take may be called: the new state includes every record before that one, or building it failed.
  bool IsReady() const;
  // Call while all loops wait at the record. Returns the new state; null if building it failed, and the present one
  // stays.
  std::unique_ptr<PlanState> Take();
  // Passes the previous state to the worker, which destroys it, since that takes a while.
  void Retire(std::shared_ptr<PlanState> old);

 private:
  enum class Stage { kIdle, kReading, kLogging, kCatchingUp, kReady };

  Worker::Next Step();
  void Begin(std::shared_ptr<const Plan> plan);
  // Applies some of the durable records up to `last`. Returns whether all are applied; nullopt on failure.
  std::optional<bool> ReadTo(uint64_t last);
  void Append();
  void End(PlanProgress::State state, std::string failure);

  const Host host_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Plan> wanted_;  // guarded by mutex_, as are all down to old_
  bool closing_ = false;
  bool abandoned_ = false;
  Stage stage_ = Stage::kIdle;
  PlanProgress progress_;
  uint64_t token_ = 0;     // of the change whose record is, or may be, in the log; 0: none
  uint64_t logged_ = 0;    // the fingerprint of its plan
  uint64_t sequence_ = 0;  // of its record, once durable
  bool append_failed_ = false;
  bool unusable_ = false;  // building the state failed after the record was logged
  bool taken_ = false;
  std::shared_ptr<PlanState> old_;

  // Owned by the worker until stage_ is kReady; then by the loop that takes it.
  std::unique_ptr<PlanState> plan_state_;
  std::unique_ptr<LogReader> reader_;
  std::atomic<uint64_t> done_{0};
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
