#include "shard/runtime.h"

#include <algorithm>

#include "base/bytes.h"
#include "log/data_lock.h"
#include "log/reader.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// Beyond this much accepted and not yet applied, new records are refused: memory stays bounded, clients wait.
constexpr size_t kMaxBacklogBytes = 128 << 20;

}  // namespace

struct Runtime::Lock {
  DataLock lock;
};

// --- opening ---

Runtime::Runtime(std::string dir, RuntimeOptions options)
    : dir_(std::move(dir)), options_(std::move(options)), meeting_(options_.threads, Meeting{this}) {}

Result<std::unique_ptr<Runtime>> Runtime::Open(const std::string& dir, std::shared_ptr<const Program> program,
                                               RuntimeOptions options) {
  auto runtime = std::unique_ptr<Runtime>(new Runtime(dir, std::move(options)));
  if (runtime->options_.log.disk == &RealDisk()) {
    auto lock = DataLock::Take(dir);
    if (!lock.ok()) {
      runtime->closed_ = true;
      return lock.error();
    }
    runtime->lock_ = std::make_unique<Lock>(Lock{std::move(lock).value()});
  }
  if (Status status = runtime->Recover(std::move(program)); !status.ok()) {
    runtime->closed_ = true;
    return status.error();
  }
  return runtime;
}

Status Runtime::Recover(std::shared_ptr<const Program> program) {
  auto store = Store::Open(dir_ + "/state", options_.store);
  if (!store.ok()) return store.error();
  store_ = std::move(store).value();
  if (Status status = StartClock(); !status.ok()) return status;
  LogOptions log_options = options_.log;
  log_options.stepped = options_.stepped;
  log_options.on_durable = [this](const DurableBlock& block) { OnDurable(block); };
  auto log = Log::Open(dir_ + "/log", std::move(log_options));
  if (!log.ok()) return log.error();
  log_ = std::move(log).value();
  auto lookup = LogLookup::Open(dir_ + "/log", options_.log.disk);
  if (!lookup.ok()) return lookup.error();
  lookup_ = std::move(lookup).value();
  world_ = std::make_shared<World>(std::move(program), options_.threads, store_.get(), lookup_.get());
  for (int i = 0; i < options_.threads; ++i) {
    loops_.push_back(std::make_unique<Loop>(this, i));
    loops_.back()->Enter(world_.get());
  }
  outbox_ = std::make_unique<Outbox>(store_.get(), loops_.size(), options_.outbox);
  if (Status status = outbox_->Restore(); !status.ok()) return status;
  if (Status status = RestoreShards(); !status.ok()) return status;
  if (Status status = world_->size_history().Restore(*store_); !status.ok()) return status;
  if (Status status = ReadTail(); !status.ok()) return status;
  world_->CountSizes();
  router_.Restore(world_->merging().identity());
  questions_ = std::make_unique<LogQuestions>(lookup_.get());
  writer_ = std::make_unique<StoreWriter>(store_.get(), options_.stepped);
  writer_->Write(world_->merging().ForgetEnded());
  const auto write = [this](WriteBatch batch, std::function<void(bool)> then) {
    writer_->Write(std::move(batch), std::move(then));
  };
  if (Status status = outbox_->EndRecovery(write); !status.ok()) return status;
  stats_.users = world_->user_count();
  if (options_.stepped) return {};
  for (const auto& loop : loops_) loop->thread = std::thread([&loop = *loop] { loop.Run(); });
  return {};
}

Status Runtime::StartClock() {
  if (options_.clock) return {};
  const auto stored = store_->Get(keys::kConfig, kClockName);
  if (!stored.ok()) return stored.error();
  Millis floor = kAlways;
  if (*stored) {
    ByteReader in(**stored);
    const Millis last = in.I64();
    if (in.done()) floor = last;
  }
  server_clock_ = std::make_unique<ServerClock>(floor);
  options_.clock = [clock = server_clock_.get()] { return clock->Now(); };
  return {};
}

Status Runtime::RestoreShards() {
  std::vector<std::thread> threads;
  std::vector<Status> results(loops_.size());
  for (size_t i = 0; i < loops_.size(); ++i) {
    threads.emplace_back([this, i, &results] {
      for (Shard* shard : loops_[i]->shards) {
        if (Status status = shard->Restore(*store_); !status.ok()) {
          results[i] = status;
          return;
        }
        outbox_->SetSnapshot(shard->number(), shard->found_position());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& status : results) {
    if (!status.ok()) return status;
  }
  return {};
}

// Every loop reads the tail for itself: reading is cheap beside applying, and nobody waits for anybody.
Status Runtime::ReadTail() {
  const uint64_t last = log_->durable_sequence();
  uint64_t from = last;
  for (const auto& shard : world_->shards()) {
    if (shard->position() > last) {
      return Error{ErrorCode::kCorrupt, "a snapshot includes records that the log does not hold; a log file is missing"};
    }
    from = std::min(from, shard->position());
  }
  if (Status status = world_->merging().Restore(from); !status.ok()) return status;
  if (Status status = outbox_->BeginRecovery(last); !status.ok()) return status;
  std::vector<std::thread> threads;
  std::vector<Status> results(loops_.size());
  std::atomic<uint64_t> read{0};
  for (size_t i = 0; i < loops_.size(); ++i) {
    threads.emplace_back([this, i, from, last, &results, &read] {
      Loop& loop = *loops_[i];
      auto reader = LogReader::Open(dir_ + "/log", from + 1, {.last_sequence = last, .disk = options_.log.disk});
      if (from == last) return;
      RecordView record;
      while (reader.ok()) {
        const auto more = reader->Next(&record);
        if (!more.ok()) reader = more.error();
        if (!more.ok() || !*more) break;
        loop.ApplyRecord(record);
        if (i == 0 && (++read & 0xFFFF) == 0 && options_.on_recovery) options_.on_recovery(read, last - from);
      }
      if (reader.ok()) return;
      results[i] = reader.error();
      meeting_.arrive_and_drop();  // nobody is to wait for this loop
    });
  }
  for (std::thread& thread : threads) thread.join();
  recovered_records_ = last - from;
  for (const auto& shard : world_->shards()) {
    shard->set_position(last);
    shard->TickFailed();  // one that was under way at the crash either was read or never will be
  }
  for (const Status& status : results) {
    if (!status.ok()) return status;
  }
  return {};
}

Runtime::~Runtime() { Close(); }

void Runtime::Close() {
  if (closed_) return;
  closed_ = true;
  {
    const std::lock_guard hold(change_mutex_);
    if (change_) change_->Cancel();
  }
  log_->Close();
  for (const auto& loop : loops_) {
    {
      const std::lock_guard hold(loop->mutex);
      loop->closing = true;
    }
    loop->work.notify_one();
  }
  for (const auto& loop : loops_) {
    if (loop->thread.joinable()) loop->thread.join();
  }
  if (options_.stepped) {
    while (TakeStep(Part::kRecords)) continue;
    for (const auto& loop : loops_) loop->WriteLastSnapshots();
  }
  SampleSizes();
  writer_.reset();
  questions_.reset();
}

Status Runtime::failure() const {
  if (log_->failed()) return log_->status();
  if (writer_->failed()) return Error{ErrorCode::kCorrupt, dir_ + "/state: the store is damaged"};
  return {};
}

bool Runtime::TakeStep(Part part) {
  Loop& loop = *loops_.front();
  switch (part) {
    case Part::kLog:
      return log_->Step();
    case Part::kRecords: {
      if (loop.tasks.empty()) return false;
      const Task task = std::move(loop.tasks.front());
      loop.tasks.pop_front();
      loop.Do(task);
      return true;
    }
    case Part::kTimers:
      loop.Tick(options_.clock());
      return true;
    case Part::kSnapshot:
      return loop.Snapshot();
    case Part::kStore:
      return writer_->Step();
    case Part::kSizes:
      SampleSizes();
      return true;
  }
  return false;
}

// --- records in ---

Status Runtime::Append(std::span<LogEntry> entries, Log::Callback callback) {
  if (backlog_bytes_.load(std::memory_order_relaxed) + outbox_->unwritten_bytes() + writer_->waiting_bytes() > kMaxBacklogBytes) {
    return Error{ErrorCode::kUnavailable, "records come in faster than they can be applied"};
  }
  return router_.Append(entries, log_.get(), std::move(callback));
}

void Runtime::OnDurable(const DurableBlock& block) {
  lookup_->Note(block.file_first_sequence, block.first_sequence, block.offset);
  const size_t bytes = block.bytes->size();
  backlog_bytes_ += bytes * loops_.size();
  for (const auto& loop : loops_) {
    {
      const std::lock_guard hold(loop->mutex);
      loop->tasks.push_back({block, nullptr, 0});
    }
    loop->work.notify_one();
  }
}

void Runtime::Ask(uint8_t shard, std::function<void(Shard&)> question) {
  Loop& loop = *loops_[static_cast<size_t>(shard % options_.threads)];
  {
    const std::lock_guard hold(loop.mutex);
    loop.tasks.push_back({{}, std::move(question), shard});
  }
  loop.work.notify_one();
}

void Runtime::AskPerson(std::string id, std::function<void(Shard&, std::string_view, Millis)> question) {
  // What was durable before this call may have merged her: only behind it is it known whose shard to ask.
  const uint8_t shard = ShardOf(id);
  AskNow(shard, [this, shard, id = std::move(id), question = std::move(question)](Shard& first, Millis now) {
    const std::string person(loops_[static_cast<size_t>(shard % options_.threads)]->world->merging().PersonOf(id));
    if (ShardOf(person) == shard) return question(first, person, now);
    AskNow(ShardOf(person), [person, question](Shard& owner, Millis then) { question(owner, person, then); });
  });
}

Status Runtime::UndoMerge(std::string_view id, Log::Callback callback) {
  ByteWriter payload;
  payload.I64(options_.clock());
  payload.String(id);
  LogEntry entry{static_cast<uint8_t>(RecordType::kUndoMerge), ShardOf(id), payload.view()};
  return Append({&entry, 1}, std::move(callback));
}

bool Runtime::ChangePlan(std::shared_ptr<const Plan> plan) {
  const std::lock_guard hold(change_mutex_);
  if (change_) change_->Cancel();
  if (plan->fingerprint == world()->plan().fingerprint) return false;
  auto program = Program::Compile(std::move(plan));
  auto world = std::make_unique<World>(std::move(program), options_.threads, store_.get(), lookup_.get());
  change_ = std::make_shared<PlanChange>(std::move(world), PlanChange::Host{log_dir(), log_.get(), store_.get(), options_.clock});
  return true;
}

PlanProgress Runtime::plan_progress() const {
  const std::lock_guard hold(change_mutex_);
  return change_ ? change_->progress() : PlanProgress();
}

void Runtime::WhenStored(std::function<void()> then) {
  if (writer_->retrying() || writer_->failed()) return then();
  writer_->Do([then = std::move(then)] { return then(), true; }, 0);
}

void Runtime::AskLog(std::function<void(LogLookup&)> question) { questions_->Ask(std::move(question)); }

void Runtime::AskNow(uint8_t shard, std::function<void(Shard&, Millis)> question) {
  Ask(shard, [this, question = std::move(question)](Shard& owner) {
    const Millis now = options_.clock();
    if (owner.engine().NextDue() > now) return question(owner, now);
    // Fired by a record, as all timers are: a replay of the log then knows when.
    Loop& loop = *loops_[static_cast<size_t>(owner.number() % options_.threads)];
    loop.LogTick(&owner, now, [this, number = owner.number(), question, now] {
      Ask(number, [question, now](Shard& ticked) { question(ticked, now); });
    });
  });
}

}  // namespace attune
