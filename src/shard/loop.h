// One shard loop: takes durable records in log order and applies those of the shards that it owns, logs ticks when timers
// are due, answers questions from state, and writes snapshots. It never waits: what must wait is a step that comes later.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/workers.h"
#include "log/log.h"
#include "shard/logged_record.h"
#include "shard/merging.h"
#include "shard/shard.h"
#include "shard/plan_state.h"

namespace attune {

class Runtime;

class Loop {
 public:
  using Question = std::function<void(Shard&)>;

  Loop(Runtime* runtime, size_t index);
  void Start(Workers* workers);

  // --- any thread ---

  void Push(const DurableBlock& block);
  // Asked on this loop, behind every block that was pushed before.
  void Ask(uint8_t shard, Question question);
  void Wake() {
    if (worker_) worker_->Wake();
  }
  // It ends when everything pushed has been applied, or the runtime has failed.
  void Close();
  void Join() {
    if (worker_) worker_->Join();
  }
  // How long ago it last did something, while there is something to do; zero when it is idle.
  std::chrono::steady_clock::duration Stalled() const;
  // Whether it has applied all that was pushed.
  bool idle() const { return idle_.load(std::memory_order_acquire); }

  // --- its own thread; or any, while all loops stand still ---

  // From now on it owns shards of this plan state, none of which the store has seen.
  void Enter(PlanState* plan_state);
  // What a meeting left to do; done once it is over.
  void LeaveToDo(Merging::Leaving leaving) { left_.push_back({std::move(leaving), nullptr}); }
  void LeaveToDo(std::shared_ptr<PersonRebuild> rebuild) { left_.push_back({std::nullopt, std::move(rebuild)}); }
  PlanState* plan_state() const { return plan_state_; }
  const std::vector<Shard*>& shards() const { return shards_; }
  // From a question: asks the shard at once, or once no timer of it is due at or before `now`.
  void AskOnceFired(uint8_t shard, Millis now, Question question);
  // Applies a record to a shard of its own.
  void ApplyTo(Shard* shard, const LoggedRecord& record, std::string_view person);

 private:
  using Clock = std::chrono::steady_clock;

  struct Task {
    DurableBlock block;  // or
    Question question;
    uint8_t shard = 0;
  };
  // A shard pauses while a person of it is rebuilt; what comes for it meanwhile waits its turn: a record, a question, a user
  // who ends, or the next to be rebuilt.
  struct Deferred {
    DurableBlock block;  // that holds the record
    LoggedRecord record;
    std::string person;
    bool admitted = false;
    Question question;
    std::optional<Merging::Leaving> leaving;
    std::shared_ptr<PersonRebuild> rebuild;

    // The record of the log that it is, or comes from; 0: none.
    uint64_t sequence() const { return rebuild ? rebuild->sequence() : leaving ? leaving->sequence : question ? 0 : record.sequence; }
  };
  struct Paused {
    enum class Load { kNotAsked, kLoading, kLoaded, kFailed };
    std::deque<Deferred> queue;
    std::atomic<Load> load{Load::kNotAsked};  // of the rebuild at the front
    // How many of the queue part people: until these are done, nobody knows which ids a person of the shard remembers.
    int parting = 0;
    std::chrono::steady_clock::time_point since;
  };

  // A question that is asked once timers due by an instant have fired.
  struct Waiting {
    uint8_t shard;
    Millis until;
    Question question;
  };

  Worker::Next Step();
  Worker::Next WaitAtMeeting();
  // False: it waits at a record.
  bool ApplyBlock();
  void EndBlock();
  // True: the record is done with, or all loops will meet at it.
  void ApplyRecord(const LoggedRecord& record);
  // Has the next records, some ahead of the one at hand, and their users brought near.
  void LookAhead();
  // Goes to the meeting at `meet_at_` once it can. False: it is not over.
  bool Meet();
  bool IsReadyToMeet() const;
  void DoWhatWasLeft();
  void Leave(const Merging::Leaving& leaving);
  Paused& Pause(uint8_t shard);
  // Some of what paused shards have to do; false: nothing now.
  bool WorkOnPaused();
  // The first in the queue; false: it must wait.
  bool DoFirst(const std::shared_ptr<Paused>& paused, Shard* shard);
  bool WorkOnRebuild(const std::shared_ptr<Paused>& paused);
  void ApplyNow(Shard* shard, const LoggedRecord& record, std::string_view person);
  void KeepLetter(const RecordView& record);
  // As Outbox::Add has `first` and `last`.
  void Publish(const RecordView& record, Shard& shard, const Shard::Outcome& outcome, uint32_t first = 0, bool last = true);
  // Everything up to this record has been applied, as far as it is this loop's.
  uint64_t Passed() const;
  void Tick(Millis now);
  void LogTick(Shard* shard, Millis now);
  void Answer(uint8_t shard, Question question);
  // Asks the questions that waited for timers which have fired.
  void AskFired();
  void AskWaiting(const std::function<bool(const Waiting&)>& may_ask);
  // A slice of the snapshot at hand, or the first of the next. False: there is nothing to write, or the store is behind.
  bool Snapshot();
  uint64_t FinishSnapshot(Shard* shard);  // the number of its batch
  void WriteLastSnapshots();
  // What is due by the clock; how long until the next of it.
  std::chrono::milliseconds DoWhatIsDue();
  Shard* Of(uint8_t number);

  friend class Runtime;

  Runtime& runtime_;
  const size_t index_;
  PlanState* plan_state_ = nullptr;
  std::vector<Shard*> shards_;
  std::vector<uint64_t> last_batch_;  // of each shard
  std::array<std::shared_ptr<Paused>, kShards> paused_;
  std::vector<uint8_t> paused_shards_;
  struct Left {
    std::optional<Merging::Leaving> leaving;
    std::shared_ptr<PersonRebuild> rebuild;
  };
  std::vector<Left> left_;
  std::vector<Waiting> waiting_;
  Effects effects_;

  // The block at hand.
  DurableBlock block_;  // null: none
  size_t next_ = 0;   // of its records, the next to be applied
  size_t ahead_ = 0;  // the next to look ahead at
  // The records from next_ to ahead_, by their number modulo the size: each is decoded once, by whoever needs its event first.
  static constexpr size_t kNear = 16;
  static_assert(kNear > Engine::kExpect + 1);
  std::array<LoggedRecord, kNear> near_;
  uint64_t passed_ = 0;  // the last record of the last block that was applied whole
  // The record at which all loops are to meet, and the meeting, once this loop has come to it.
  std::optional<LoggedRecord> meet_at_;
  std::optional<uint64_t> meeting_;

  uint64_t timer_entries_ = 0;  // its share of the stats' timers
  size_t snapshotted_ = 0;      // the shard whose turn it is
  Clock::time_point next_snapshot_{}, next_tick_{}, next_sample_{};
  Clock::duration snapshot_work_{};
  std::deque<Task> taken_;

  std::atomic<bool> idle_{true};
  std::atomic<Clock::rep> moved_{0};
  std::mutex mutex_;
  std::deque<Task> tasks_;  // guarded by it, as is the next
  bool closing_ = false;
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
