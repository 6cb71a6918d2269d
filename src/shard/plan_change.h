// Another plan while the server runs: its state is built from the log in the background, then all loops change to it at one
// record of the log.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "log/log.h"
#include "log/reader.h"
#include "shard/world.h"

namespace attune {

// How far a change has come.
struct PlanProgress {
  enum class State { kNone, kReading, kChanging, kDone, kFailed, kCancelled };
  State state = State::kNone;
  uint64_t fingerprint = 0;  // of the plan that is to come, or came
  uint64_t done = 0;         // records of the log that its state includes
  uint64_t total = 0;        // records of the log
  Millis began = 0;
  std::string failure;
};

class PlanChange {
 public:
  struct Host {
    std::string log_dir;
    Log* log;
    const Store* store;
    std::function<Millis()> clock;
  };

  // Begins to read, on a thread of its own that gives way to others. `world` is empty.
  PlanChange(std::unique_ptr<World> world, Host host);
  // Cancels it, unless the record has been logged.
  ~PlanChange();

  PlanProgress progress() const;
  // Gives up, unless the record has been logged; waits until the thread has ended.
  void Cancel();

  // --- loops ---

  // Whether this is the record at which this change takes place. Loops meet there.
  bool IsAt(const RecordView& record) const;
  // While all loops stand still: waits until the new state includes every record before this one, and gives it; null when
  // that cannot be.
  std::unique_ptr<World> Take();
  // The state that was until now: to be forgotten on the thread, as that takes a while.
  void Leave(std::shared_ptr<World> old);

 private:
  void Run();
  // Applies what is durable up to a sequence. False: cancelled or failed.
  bool ReadTo(LogReader* reader, uint64_t last);
  void Fail(std::string why);

  const Host host_;
  const uint64_t token_;  // in the record: no other process, and no other change, takes it for its own
  const Millis began_;
  std::atomic<bool> cancelled_{false};
  std::atomic<uint64_t> done_{0};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<World> world_;  // the thread's, until it is ready
  const uint64_t fingerprint_;
  PlanProgress::State state_ = PlanProgress::State::kReading;
  std::string failure_;
  bool ready_ = false;            // the state includes all before the record
  std::shared_ptr<World> old_;
  std::thread thread_;
};

}  // namespace attune
