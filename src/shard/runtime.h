// The shard loops: threads that take durable records in log order, apply them, log ticks when timers are due, answer
// questions from state, and write snapshots. Opening it recovers all state.
#pragma once

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/server_clock.h"
#include "log/log.h"
#include "log/lookup.h"
#include "shard/log_questions.h"
#include "shard/outbox.h"
#include "shard/plan_change.h"
#include "shard/router.h"
#include "shard/shard.h"
#include "shard/shard_of.h"
#include "shard/store_writer.h"
#include "shard/world.h"
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
};

struct RuntimeOptions {
  int threads = 1;                  // loops; 1 to kShards
  Millis tick_every_ms = 25;        // how often loops look for due timers
  Millis sample_every_ms = 1000;    // how often the sizes of segments are looked at for their history
  Millis snapshot_every_ms = 1000;  // at the least; longer under load, so that snapshots take about a tenth of the time
  std::function<Millis()> clock;  // empty: a ServerClock that goes on where the one before it was
  LogOptions log;  // on_durable is the runtime's own
  StoreOptions store;
  OutboxOptions outbox;
  // One loop and no threads, but for reading back: everything happens in TakeStep, on the caller's thread. For the
  // simulator, which decides what happens next.
  bool stepped = false;
  // Called for each record of a dead letter, or of its replay, in log order within a shard: by the thread that writes to
  // the store, before a snapshot that includes the record, or while recovering. False: it could not be kept now, and comes
  // again. Views live during the call.
  std::function<bool(const RecordView& record)> on_dead_letter;
  // Progress of the recovery: records read, of how many.
  std::function<void(uint64_t done, uint64_t total)> on_recovery;
};

class Runtime {
 public:
  // Recovers from the folder: the newest snapshots, then the log's tail. The folder is locked while the runtime lives.
  static Result<std::unique_ptr<Runtime>> Open(const std::string& dir, std::shared_ptr<const Program> program,
                                               RuntimeOptions options);
  // Close().
  ~Runtime();

  // Any thread. Durable first; applied soon after, in order. See Log::Append. kUnavailable also while the loops are
  // behind. Of an entry with RecordType::kEvent the shard is found here, and the type may become another.
  Status Append(std::span<LogEntry> entries, Log::Callback callback);
  // The history that the id brought to another's is its own again, and stays so; nothing happens when it brought none.
  Status UndoMerge(std::string_view id, Log::Callback callback);
  // Runs a question on the thread of a shard, after every record that was durable before this call. Any thread.
  void Ask(uint8_t shard, std::function<void(Shard&)> question);
  // The same at an instant that is now, with every timer of the shard fired that is due by then: what a question about
  // memberships needs, as loops look for due timers only now and then. (While nothing can be logged, timers wait.)
  void AskNow(uint8_t shard, std::function<void(Shard&, Millis now)> question);
  // As AskNow about the person to whom an id leads.
  void AskPerson(std::string id, std::function<void(Shard&, std::string_view person, Millis now)> question);
  // Whom an id leads to, as far as the loops have come. Any thread.
  std::string PersonOf(std::string_view id) const { return world()->merging().PersonOfNow(id); }
  // Runs a question on the thread that reads the log back, where it may wait for the disk. Any thread.
  void AskLog(std::function<void(LogLookup&)> question);
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

  // Begins to change to another plan (see plan_change.h); a change that is under way is given up. False: it is the present
  // one.
  bool ChangePlan(std::shared_ptr<const Plan> plan);
  PlanProgress plan_progress() const;
  // What is known now, and under which plan. Of its shards only loops know. Another plan brings another world: hold on to
  // this one for as long as its conditions are spoken of. Any thread.
  std::shared_ptr<World> world() const {
    const std::lock_guard hold(world_mutex_);
    return world_;
  }
  Store& store() { return *store_; }
  Outbox& outbox() { return *outbox_; }
  const Log& log() const { return *log_; }
  std::string log_dir() const { return dir_ + "/log"; }
  const RuntimeStats& stats() const { return stats_; }
  // Records that recovery read from the log's tail.
  uint64_t recovered_records() const { return recovered_records_; }

  // What a thread would do next: a group to the log's disk; a block of records or a question; timers that are due; a
  // slice of a snapshot; a batch to the store; a look at the sizes of segments.
  enum class Part { kLog, kRecords, kTimers, kSnapshot, kStore, kSizes };
  // Does it, if there is something to do; false: there was not. Only for `stepped`.
  bool TakeStep(Part part);

  // Stops taking records, applies what is durable, writes a last snapshot.
  void Close();

 private:
  // In the store: what the server's clock said last, so that the next process goes on from there.
  static constexpr std::string_view kClockName = "clock";

  struct Task {
    DurableBlock block;  // or
    std::function<void(Shard&)> question;
    uint8_t shard = 0;
  };
  // One thread and the shards it owns: those whose number modulo the threads is its own.
  struct Loop {
    Loop(Runtime* owner, int index) : runtime(owner), index(index) {}
    // From now on it owns shards of this world, none of which the store has seen.
    void Enter(World* entered);
    void Run();
    void Do(const Task& task);
    void WriteLastSnapshots();
    void Apply(const DurableBlock& block);
    void Expect(const RecordView& record);  // it is applied soon
    void ApplyRecord(const RecordView& record);
    // All loops stand still, and one of them applies the record.
    void MeetAt(const RecordView& record);
    void ApplyTo(Shard* shard, const RecordView& record, std::string_view person);
    void KeepLetter(const RecordView& record);
    // Tells of the effects of a record.
    void Told(const RecordView& record, Shard& shard, const Shard::Outcome& outcome);
    void Tick(Millis now);
    // Logs a tick; `then` is called once, on any thread, when it is durable or has failed.
    void LogTick(Shard* shard, Millis now, std::function<void()> then);
    // A slice of the snapshot at hand, or the first of the next. False: there is nothing to write, or the store is behind.
    bool Snapshot();
    uint64_t FinishSnapshot(Shard* shard);  // the number of its batch
    Shard* Of(uint8_t number);

    Runtime* runtime;
    int index;
    World* world = nullptr;
    std::vector<Shard*> shards;
    std::vector<uint64_t> last_batch;  // of each shard
    Effects effects;
    size_t snapshotted = 0;  // the shard whose turn it is

    std::mutex mutex;
    std::condition_variable work;
    std::deque<Task> tasks;  // guarded by mutex, as is the next
    bool closing = false;
    std::thread thread;
  };
  struct Meeting {
    Runtime* runtime;
    void operator()() noexcept { runtime->Meet(); }
  };

  Runtime(std::string dir, RuntimeOptions options);
  Status Recover(std::shared_ptr<const Program> program);
  Status StartClock();
  Status RestoreShards();
  Status ReadTail();
  void OnDurable(const DurableBlock& block);
  void Meet() noexcept;
  // Of the outbox: its loop's.
  size_t LaneOf(const Shard& shard) const { return shard.number() % loops_.size(); }
  bool IsPlanChange(const RecordView& record) const;
  void EnterWorld(const RecordView& record);
  void SampleSizes();

  const std::string dir_;
  RuntimeOptions options_;
  RuntimeStats stats_;
  uint64_t recovered_records_ = 0;
  std::atomic<size_t> backlog_bytes_{0};
  bool closed_ = false;
  uint64_t clock_noted_at_ = 0;  // the log's position when the clock was last written to the store

  struct Lock;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ServerClock> server_clock_;
  std::unique_ptr<Outbox> outbox_;
  std::unique_ptr<LogLookup> lookup_;
  mutable std::mutex world_mutex_;
  std::shared_ptr<World> world_;  // guarded by it
  Router router_;
  std::barrier<Meeting> meeting_;
  std::atomic<const RecordView*> met_for_{nullptr};  // the record at which the loops meet
  std::unique_ptr<StoreWriter> writer_;
  std::unique_ptr<LogQuestions> questions_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::unique_ptr<Log> log_;  // its thread calls into all of the above
  mutable std::mutex change_mutex_;
  std::shared_ptr<PlanChange> change_;  // guarded by it; null as long as there was none
};

}  // namespace attune
