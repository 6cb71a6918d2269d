#include "simulator/machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/file/file_log.h"

namespace attune::simulate {
namespace {

constexpr char kDir[] = "data";

// What a step of the part looks at beside what has come: nothing, or what is due after so long.
std::chrono::milliseconds DueAfter(Machine::Part part, const RuntimeOptions& options) {
  switch (part) {
    case Machine::Part::kTimers: return std::chrono::milliseconds(options.tick_every_ms);
    case Machine::Part::kSnapshot: return std::chrono::milliseconds(options.snapshot_every_ms / kShards + 1);
    case Machine::Part::kSizes: return std::chrono::milliseconds(options.sample_every_ms);
    default: return std::chrono::milliseconds(0);
  }
}

const char* WorkerName(Machine::Part part) {
  switch (part) {
    case Machine::Part::kLog: return "attune-log";
    case Machine::Part::kStore: return "attune-store";
    case Machine::Part::kPlan: return "attune-plan";
    case Machine::Part::kQuestions: return "attune-lookup";
    default: return "attune-shards";
  }
}

bool IsOfLoop(Machine::Part part) {
  return std::string_view(WorkerName(part)) == "attune-shards";
}

}  // namespace

std::string Machine::log_dir() const { return std::string(kDir) + "/log"; }

Status Machine::Start(std::shared_ptr<const Program> program, int loops, KeepLetter keep_letter) {
  RuntimeOptions options;
  options.workers = &workers_;
  options.threads = loops;
  options.steady = [this] { return steady_; };
  options.clock = [this] { return now_; };
  FileLogOptions log_options;
  log_options.workers = &workers_;
  log_options.disk = &disk_;
  log_options.max_file_bytes = hardware_.log_file_bytes;
  log_options.reserve_bytes = hardware_.reserve_bytes;
  options.open_log = FileLogIn(log_dir(), log_options);
  options.store.batch_log = store_.get();
  options.outbox.max_age = 100'000 * kDay;  // the clock runs through years
  options.on_dead_letter = std::move(keep_letter);
  auto opened = Runtime::Open(kDir, std::move(program), std::move(options));
  if (!opened.ok()) return opened.error();
  runtime_ = std::move(opened).value();
  loops_ = static_cast<size_t>(loops);
  return {};
}

Status Machine::Append(std::span<const NewRecord> records, Log::Callback callback) {
  return runtime_->Append(records, std::move(callback));
}

std::optional<size_t> Machine::WorkerOf(Part part, size_t loop) const {
  const std::string name = WorkerName(part);
  size_t seen = 0;
  for (const StepWorkers::Mover& worker : workers_.All()) {
    if (worker.name != name) continue;
    if (!IsOfLoop(part) || seen++ == loop) return worker.id;
  }
  return std::nullopt;
}

bool Machine::Step(Part part, size_t loop) {
  const uint64_t bytes = disk_.bytes_read(), records = runtime_->stats().rebuilt_records;
  const uint64_t meetings = runtime_->meeting().held();
  steady_ += DueAfter(part, {});
  const auto worker = WorkerOf(part, loop);
  const bool done = worker && workers_.IsBusy(*worker);
  if (worker) workers_.Step(*worker);
  if (IsOfLoop(part)) work_.loop_bytes_read += disk_.bytes_read() - bytes;
  work_.records_read_back += runtime_->stats().rebuilt_records - records;
  work_.meetings += runtime_->meeting().held() - meetings;
  return done;
}

bool Machine::Settle(uint64_t most_steps, const std::function<void()>& after_each) {
  const std::vector<std::pair<Part, size_t>> parts = [this] {
    std::vector<std::pair<Part, size_t>> all = {{Part::kLog, 0}, {Part::kPlan, 0}, {Part::kQuestions, 0}, {Part::kStore, 0}};
    for (size_t loop = 0; loop < loops_; ++loop) all.emplace_back(Part::kRecords, loop);
    return all;
  }();
  for (uint64_t steps = 0; steps < most_steps;) {
    bool busy = false;
    for (const bool resting : {false, true}) {  // the latter: what tries again after a while
      for (const auto& [part, loop] : parts) {
        const auto worker = WorkerOf(part, loop);
        if (!worker || (!resting && !workers_.IsBusy(*worker))) continue;
        Step(part, loop);
        after_each();
        ++steps;
        busy |= !resting || workers_.IsBusy(*worker);
      }
      if (busy) break;
    }
    if (!busy) return true;
  }
  return false;
}

std::string Machine::WhatWaits() const {
  std::string waits;
  if (!runtime_->idle()) waits = "a loop has something left to do";
  const PlanProgress::State state = runtime_->plan_progress().state;
  if (state == PlanProgress::State::kReading || state == PlanProgress::State::kChanging) {
    waits += fmt::format("{}the change of the plan is {}", waits.empty() ? "" : ", ",
                         state == PlanProgress::State::kReading ? "reading" : "logged and does not take place");
  }
  return waits;
}

uint64_t Machine::LatestPosition() const {
  uint64_t latest = 0;
  for (const auto& shard : runtime_->plan_state()->shards()) latest = std::max(latest, shard->position());
  return latest;
}

}  // namespace attune::simulate
