// The shard loops: threads that take durable records in log order, apply them, log ticks when timers are due, answer
// questions from state, and write snapshots. Opening it recovers all state.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "base/server_clock.h"
#include "base/workers.h"
#include "effects/outbox.h"
#include "log/log.h"
#include "log/shard_of.h"
#include "shard/log_questions.h"
#include "shard/loop.h"
#include "shard/meeting.h"
#include "shard/plan_change.h"
#include "shard/router.h"
#include "shard/shard.h"
#include "shard/store_writer.h"
#include "shard/plan_state.h"
#include "state/store.h"

namespace attune {

// Counted since the start, by all loops together.
struct RuntimeStats {
  std::atomic<uint64_t> events{0};  // applied, duplicates and late ones included
  std::atomic<uint64_t> late{0};
  std::atomic<uint64_t> duplicates{0};
  std::atomic<uint64_t> dead_letters{0};
  std::atomic<uint64_t> transitions{0};
  std::atomic<uint64_t> firings{0};
  std::atomic<uint64_t> ticks{0};
  std::atomic<uint64_t> snapshots{0};  // of one shard each
  std::atomic<uint64_t> users{0};
  std::atomic<uint64_t> rebuilds{0};         // of one person each, after a merge or the undoing of one
  std::atomic<uint64_t> rebuilt_records{0};  // that these applied once more
  std::atomic<uint64_t> timers{0};           // entries of the engines' timer queues
};

struct RuntimeOptions {
  int threads = 1;                  // loops; 1 to kShards
  Millis tick_every_ms = 25;        // how often loops look for due timers
  Millis sample_every_ms = 1000;    // how often the sizes of segments are looked at for their history
  Millis snapshot_every_ms = 1000;  // at the least; longer under load, so that snapshots take about a tenth of the time
  std::function<Millis()> clock;  // empty: a ServerClock that goes on where the one before it was
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;  // for what happens every so often
  OpenLog open_log;  // required
  StoreOptions store;
  OutboxOptions outbox;
  Workers* workers = &Threads();  // must outlive the runtime
  // Called once with the store, which lives as long as the runtime, before recovery reads the first record.
  std::function<void(Store* store)> on_store;
  // Called for each record of a dead letter, or of its replay, in log order within a shard. Views live during the call.
  // - By the thread that writes to the store, before a snapshot that includes the record. False: it could not be kept now,
  //   and comes again.
  // - While recovering, by several threads at once. False: it could not be kept now, and the start fails with kUnavailable
  //   before it writes a snapshot: the next one reads the record again. No other record of the shard comes until then.
  std::function<bool(const RecordView& record)> on_dead_letter;
  // Progress of the recovery: records read, of how many.
  std::function<void(uint64_t done, uint64_t total)> on_recovery;
};

class Runtime {
 public:
  // Recovers: the newest snapshots of the store in `dir`/state, then the tail of the log, which it opens after the store. Hold
  // the lock of the data folder from before this call until the runtime is gone: nothing here keeps another process out.
  static Result<std::unique_ptr<Runtime>> Open(const std::string& dir, std::shared_ptr<const Program> program,
                                               RuntimeOptions options);
  // Close().
  ~Runtime();

  // Any thread. Durable first; applied soon after, in order. See Log::Append. kUnavailable also while the loops are
  // behind.
  Status Append(std::span<const NewRecord> records, Log::Callback callback);
  // The history that the id brought to another's is its own again, and stays so; nothing happens when it brought none.
  Status UndoMerge(std::string_view id, Log::Callback callback);
  // Runs a question on the thread of a shard, after every record that was durable before this call. Any thread.
  void Ask(uint8_t shard, std::function<void(Shard&)> question);
  // The same, once every timer of the shard has fired that is due at `now`, an instant after this call: what a question about
  // a whole segment needs. It waits until the loop looks for due timers, tick_every_ms at most, and until their tick is
  // durable. The question itself logs nothing. (While nothing can be logged, timers wait and the question does not.)
  void AskNow(uint8_t shard, std::function<void(Shard&, Millis now)> question);
  // As Ask, about the person to whom an id leads, with the present instant. Timers that are due may not have fired: see
  // UserView.
  void AskPerson(std::string id, std::function<void(Shard&, std::string_view person, Millis now)> question);
  // Whom an id leads to, as far as the loops have come. Any thread.
  std::string PersonOf(std::string_view id) const { return plan_state()->merging().PersonOfNow(id); }
  // Runs a question on the thread that reads the log back, where it may wait for the disk. Any thread.
  void AskLog(std::function<void(ReadableLog&)> question);
  // Calls once what waits for the store is in it; at once while the store takes nothing.
  void WhenStored(std::function<void()> then);
  uint64_t durable_sequence() const { return log_->durable_sequence(); }
  // What records are stamped with.
  Millis Now() const { return options_.clock(); }
  // See ServerClock::leap; 0 where the clock was given.
  Millis clock_leap() const { return server_clock_ ? server_clock_->leap() : 0; }
  // The log or the store can hold no more for now, or the store's disk fails: what came last is in the log or was refused.
  bool storage_full() const { return log_->storage_full() || writer_->retrying(); }
  // Nothing can be taken any more until the next start.
  Status failure() const;
  // How long the loop that has moved least lately has stood still with work to do.
  std::chrono::steady_clock::duration stalled() const;
  // Whether every loop has applied all that is durable.
  bool idle() const;
  const Meeting& meeting() const { return meeting_; }

  // Begins to change to another plan (see plan_change.h). False: it is the present one, or will be shortly.
  bool ChangePlan(std::shared_ptr<const Plan> plan);
  PlanProgress plan_progress() const;
  // What is known now, and under which plan. Of its shards only loops know. Another plan brings another plan state: hold on to
  // this one for as long as its conditions are spoken of. Any thread.
  std::shared_ptr<PlanState> plan_state() const {
    const std::lock_guard hold(plan_state_mutex_);
    return plan_state_;
  }
  Store& store() { return *store_; }
  Outbox& outbox() { return *outbox_; }
  // To be read.
  ReadableLog& log() { return *log_; }
  const RuntimeStats& stats() const { return stats_; }
  // What the loops do, and the segments' sizes.
  void AddMetrics(Metrics* metrics) const;
  // The log, the storage and the clock.
  void AddLogMetrics(Metrics* metrics) const;
  // Records that recovery read from the log's tail.
  uint64_t recovered_records() const { return recovered_records_; }

  // Stops taking records, applies what is durable, writes a last snapshot.
  void Close();

 private:
  // In the store: what the server's clock said last, so that the next process goes on from there.
  static constexpr std::string_view kClockName = "clock";

  friend class Loop;

  Runtime(std::string dir, RuntimeOptions options);
  Status Recover(std::shared_ptr<const Program> program);
  Status StartClock();
  Status RestoreShards();
  Status ReadTail();
  void OnDurable(const DurableBlock& block);
  // While all loops stand at the record.
  void HoldMeeting(const LoggedRecord& record);
  void EnterPlanState(const LoggedRecord& record);
  void SampleSizes();
  Loop& LoopOf(uint8_t shard) const { return *loops_[shard % loops_.size()]; }
  // A loop has nothing left to do, while recovering.
  void OnRecovered();
  // What was read back is not to be had: the process must end, and start again.
  void Fail(const Status& status);

  const std::string dir_;
  RuntimeOptions options_;
  RuntimeStats stats_;
  uint64_t recovered_records_ = 0;
  std::atomic<size_t> backlog_bytes_{0};
  bool closed_ = false;
  uint64_t clock_noted_at_ = 0;  // the log's position when the clock was last written to the store

  std::unique_ptr<Store> store_;
  std::unique_ptr<ServerClock> server_clock_;
  std::unique_ptr<Outbox> outbox_;
  mutable std::mutex plan_state_mutex_;
  std::shared_ptr<PlanState> plan_state_;  // guarded by it
  Router router_;
  Meeting meeting_;
  std::atomic<int> parting_{0};  // people who are still being rebuilt since ids were parted from theirs
  std::unique_ptr<StoreWriter> writer_;
  std::unique_ptr<LogQuestions> questions_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::unique_ptr<Log> log_;  // its thread calls into all of the above
  std::unique_ptr<PlanChanges> changes_;

  std::atomic<bool> recovering_{true};
  std::mutex recovery_mutex_;
  std::condition_variable recovered_;

  mutable std::mutex failure_mutex_;
  std::optional<Error> failure_;  // guarded by it
};

}  // namespace attune
