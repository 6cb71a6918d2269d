// Another plan while the server runs: its state is built from the log in the background, then all loops change to it at one
// record of the log.
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

// How far the change that was asked for last has come.
struct PlanProgress {
  enum class State { kNone, kReading, kChanging, kDone, kFailed, kCancelled };
  State state = State::kNone;
  uint64_t fingerprint = 0;  // of the plan that is to come, or came
  uint64_t done = 0;         // records of the log that its state includes
  uint64_t total = 0;        // records of the log
  Millis began = 0;
  std::string failure;
};

// Owns every change of the plan: there is one at a time. A change that is asked for while another is under way takes its
// place, unless that one's record is in the log already: then it comes after it.
//
// The loops agree on a change without asking each other: Append's record carries a token, and the only token that counts is
// that of the change whose record is in the log, until every loop has passed it.
class PlanChanges {
 public:
  struct Host {
    Log* log;
    const Store* store;
    int loops;
    std::function<Millis()> clock;
    std::function<void()> wake_loops;
    // Has what is logged from now on marked for a plan under which ids lead so; see Router.
    std::function<void(const Identity&)> mark_for;
  };

  PlanChanges(Host host, Workers* workers);
  // After the loops have ended: nobody takes what is under way.
  ~PlanChanges();

  // --- any thread ---

  // Begins to change from the plan with the fingerprint `present` to another. False: that is the plan in force, or will be
  // when what is in the log has happened. A change that had not reached the log is given up either way.
  bool Request(std::shared_ptr<const Plan> plan, uint64_t present);
  PlanProgress progress() const;
  // Gives up what has not reached the log. What has is carried through: the loops wait for it.
  void Close();

  // --- loops ---

  // Whether this is the record at which a change takes place: all loops get the same answer.
  bool IsChange(const RecordView& record) const;
  // Whether Take can be called: the new state includes every record before that one, or can never be had.
  bool IsReady() const;
  // While all loops stand at the record: the new state; null when it cannot be had, and the present one stays.
  std::unique_ptr<PlanState> Take();
  // The state that was until now: destroyed by the worker, since that takes a while.
  void Retire(std::shared_ptr<PlanState> old);

 private:
  enum class Stage { kIdle, kReading, kLogging, kCatchingUp, kReady };

  Worker::Next Step();
  void Begin(std::shared_ptr<const Plan> plan);
  // Applies some of what is durable up to a sequence; nullopt: failed. Whether all of it has been.
  std::optional<bool> ReadTo(uint64_t last);
  void Append();
  void End(PlanProgress::State state, std::string failure);

  const Host host_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Plan> wanted_;  // guarded by it, as all down to old_
  bool closing_ = false;
  bool abandoned_ = false;
  Stage stage_ = Stage::kIdle;
  PlanProgress progress_;
  uint64_t token_ = 0;     // of the change whose record is, or may be, in the log; 0: none
  uint64_t logged_ = 0;    // its fingerprint
  uint64_t sequence_ = 0;  // of the record, once it is durable
  bool append_failed_ = false;
  bool unusable_ = false;  // the state could not be built once the record was in the log
  bool taken_ = false;
  std::shared_ptr<PlanState> old_;

  // The worker's, until stage_ is kReady; then of the loop that takes it.
  std::unique_ptr<PlanState> plan_state_;
  std::unique_ptr<LogReader> reader_;
  std::atomic<uint64_t> done_{0};
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
