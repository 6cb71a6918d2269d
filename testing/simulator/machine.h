// The process that is simulated and what it runs on: the Runtime that serves, a disk and a store in
// memory, and a clock. Nothing else here knows how the runtime is stepped.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fake_disk/fake_disk.h"
#include "fake_store/fake_batch_log.h"
#include "shard/runtime.h"
#include "simulator/simulation.h"
#include "step_workers/step_workers.h"

namespace attune::simulate {

class Machine {
 public:
  // What some thread of a serving process would do next.
  enum class Part {
    kLog,        // a group of records to the disk
    kRecords,    // of a loop: a block of records, up to where it must wait for others, or a question
    kTimers,     // of a loop: those that are due
    kSnapshot,   // of a loop: a slice
    kStore,      // a batch
    kSizes,      // of segments
    kPlan,       // a piece of a change of the plan
    kQuestions,  // one that reads the log
  };
  struct Hardware {
    uint64_t log_file_bytes = 1 << 16;
    uint64_t reserve_bytes = 0;
  };
  // Keeps a dead letter or a replay; see RuntimeOptions::on_dead_letter.
  using KeepLetter = std::function<bool(const RecordView& record)>;

  explicit Machine(const Hardware& hardware) : hardware_(hardware), steady_(std::chrono::hours(1)) {}

  FakeDisk& disk() { return disk_; }
  FakeBatchLog& store() { return *store_; }
  void ReplaceStore(std::unique_ptr<FakeBatchLog> store) { store_ = std::move(store); }
  Millis now() const { return now_; }
  void SetClock(Millis now) { now_ = now; }

  // --- the process ---

  Status Start(std::shared_ptr<const Program> program, int loops, KeepLetter keep_letter);
  // Ends it: in order while disk and store work, else it is simply gone.
  void End() {
    if (runtime_) runtime_->Close();  // what it still calls finds it here
    runtime_.reset();
  }
  bool running() const { return runtime_ != nullptr; }
  Runtime& runtime() { return *runtime_; }
  size_t loops() const { return loops_; }
  std::string log_dir() const;

  Status Append(std::span<const NewRecord> records, Log::Callback callback);

  // False: there was nothing to do, or it waits.
  bool Step(Part part, size_t loop = 0);
  // Everything but timers, snapshots and sizes, until nothing moves. False: something still moves
  // after so many steps. Calls `after_each` after each of them.
  bool Settle(uint64_t most_steps, const std::function<void()>& after_each);
  // What waits though nothing moves any more, after Settle; empty: nothing does.
  std::string WhatWaits() const;

  // The plan that holds, and the latest record that some shard's state under it includes.
  uint64_t PlanInForce() const { return runtime_->plan_state()->plan().fingerprint; }
  uint64_t LatestPosition() const;

  // Work by Step and Append so far, of all processes.
  const LifeCounts& work() const { return work_; }

 private:
  // The worker of that part; nullopt: there is none, or it waits for somebody.
  std::optional<size_t> WorkerOf(Part part, size_t loop) const;

  const Hardware hardware_;
  FakeDisk disk_;
  std::unique_ptr<FakeBatchLog> store_ = std::make_unique<FakeBatchLog>();
  Millis now_ = 0;
  // What timers, snapshots and samples are due by: moved by their steps alone.
  std::chrono::steady_clock::time_point steady_;
  size_t loops_ = 1;
  LifeCounts work_;
  StepWorkers workers_;
  std::unique_ptr<Runtime> runtime_;
};

}  // namespace attune::simulate
