#include "shard/runtime.h"

#include <algorithm>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// Beyond this much accepted and not yet applied, new records are refused: memory stays bounded, clients wait.
constexpr size_t kMaxBacklogBytes = 128 << 20;
// Of the log's tail, while recovering.
constexpr size_t kRecoveryBacklogBytes = 32 << 20;

}  // namespace

// --- opening ---

Runtime::Runtime(std::string dir, RuntimeOptions options)
    : dir_(std::move(dir)), options_(std::move(options)), meeting_(static_cast<size_t>(options_.threads)) {}

Result<std::unique_ptr<Runtime>> Runtime::Open(const std::string& dir, std::shared_ptr<const Program> program,
                                               RuntimeOptions options) {
  auto runtime = std::unique_ptr<Runtime>(new Runtime(dir, std::move(options)));
  if (Status status = runtime->Recover(std::move(program)); !status.ok()) {
    runtime->Fail(status);
    return status.error();
  }
  return runtime;
}

Status Runtime::Recover(std::shared_ptr<const Program> program) {
  auto store = Store::Open(dir_ + "/state", options_.store);
  if (!store.ok()) return store.error();
  store_ = std::move(store).value();
  if (options_.on_store) options_.on_store(store_.get());
  if (Status status = StartClock(); !status.ok()) return status;
  auto log = options_.open_log([this](const DurableBlock& block) { OnDurable(block); });
  if (!log.ok()) return log.error();
  log_ = std::move(log).value();
  plan_state_ = std::make_shared<PlanState>(std::move(program), options_.threads, store_.get(), log_.get());
  for (size_t i = 0; i < static_cast<size_t>(options_.threads); ++i) loops_.push_back(std::make_unique<Loop>(this, i));
  for (const auto& loop : loops_) loop->Enter(plan_state_.get());
  questions_ = std::make_unique<LogQuestions>(log_.get(), options_.workers);
  outbox_ = std::make_unique<Outbox>(store_.get(), loops_.size(), options_.outbox);
  if (Status status = outbox_->Restore(); !status.ok()) return status;
  if (Status status = RestoreShards(); !status.ok()) return status;
  if (Status status = plan_state_->size_history().Restore(*store_); !status.ok()) return status;
  if (Status status = ReadTail(); !status.ok()) return status;
  plan_state_->CountSizes();
  router_.Restore(plan_state_->merging().identity());
  writer_ = std::make_unique<StoreWriter>(store_.get(), options_.workers);
  writer_->Write(plan_state_->merging().ForgetEnded());
  const auto write = [this](WriteBatch batch, std::function<void(bool)> then) {
    writer_->Write(std::move(batch), std::move(then));
  };
  if (Status status = outbox_->EndRecovery(write); !status.ok()) return status;
  stats_.users = plan_state_->user_count();
  changes_ = std::make_unique<PlanChanges>(
      PlanChanges::Host{log_.get(), store_.get(), options_.threads, options_.clock,
                        [this] {
                          for (const auto& loop : loops_) loop->Wake();
                        },
                        [this](const Identity& identity) { router_.Restore(identity); }},
      options_.workers);
  recovering_ = false;
  for (const auto& loop : loops_) loop->Wake();
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
      for (Shard* shard : loops_[i]->shards()) {
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

// The tail comes to the loops as blocks do when they become durable.
Status Runtime::ReadTail() {
  const uint64_t last = log_->durable_sequence();
  uint64_t from = last;
  for (const auto& shard : plan_state_->shards()) {
    if (shard->position() > last) {
      return Error{ErrorCode::kCorrupt, "a snapshot includes records that the log does not hold; a log file is missing"};
    }
    from = std::min(from, shard->position());
  }
  if (Status status = plan_state_->merging().Restore(from); !status.ok()) return status;
  if (Status status = outbox_->BeginRecovery(last); !status.ok()) return status;
  for (const auto& loop : loops_) loop->Start(options_.workers);
  const auto wait_until = [&](const std::function<bool()>& done) {
    std::unique_lock hold(recovery_mutex_);
    options_.workers->Await(&hold, &recovered_, [&] { return done() || !failure().ok(); });
  };
  if (from < last) {
    auto reader = log_->NewReader(from + 1, last);
    if (!reader.ok()) return reader.error();
    while (failure().ok()) {
      const auto block = (*reader)->NextBlock();
      if (!block.ok()) return block.error();
      if (!*block) break;
      backlog_bytes_ += (*block)->bytes.size() * loops_.size();
      for (const auto& loop : loops_) loop->Push(*block);
      if (options_.on_recovery) options_.on_recovery((*block)->last_sequence() - from, last - from);
      wait_until([&] { return backlog_bytes_ < kRecoveryBacklogBytes || idle(); });
    }
    wait_until([this] { return idle(); });
    if (Status status = failure(); !status.ok()) return status;
  }
  recovered_records_ = last - from;
  for (const auto& shard : plan_state_->shards()) {
    shard->set_position(last);
    shard->TickFailed();  // one that was under way at the crash either was read or never will be
  }
  return {};
}

bool Runtime::idle() const {
  return std::all_of(loops_.begin(), loops_.end(), [](const auto& loop) { return loop->idle(); });
}

void Runtime::OnRecovered() {
  const std::lock_guard hold(recovery_mutex_);
  recovered_.notify_all();
}

void Runtime::Fail(const Status& status) {
  {
    const std::lock_guard hold(failure_mutex_);
    if (!failure_) failure_ = status.error();
  }
  OnRecovered();
  for (const auto& loop : loops_) loop->Wake();
}

Runtime::~Runtime() { Close(); }

void Runtime::Close() {
  if (closed_) return;
  closed_ = true;
  if (changes_) changes_->Close();
  if (log_) log_->Close();
  for (const auto& loop : loops_) loop->Close();
  for (const auto& loop : loops_) loop->Join();
  changes_.reset();
  SampleSizes();
  writer_.reset();
  questions_.reset();
}

Status Runtime::failure() const {
  {
    const std::lock_guard hold(failure_mutex_);
    if (failure_) return *failure_;
  }
  if (log_ && log_->failed()) return log_->status();
  if (writer_ && writer_->failed()) return Error{ErrorCode::kCorrupt, dir_ + "/state: the store is damaged"};
  return {};
}

std::chrono::steady_clock::duration Runtime::stalled() const {
  std::chrono::steady_clock::duration longest{};
  for (const auto& loop : loops_) longest = std::max(longest, loop->Stalled());
  return longest;
}

// --- records in ---

Status Runtime::Append(std::span<const NewRecord> records, Log::Callback callback) {
  if (backlog_bytes_.load(std::memory_order_relaxed) + outbox_->unwritten_bytes() + writer_->waiting_bytes() > kMaxBacklogBytes) {
    return Error{ErrorCode::kUnavailable, "records come in faster than they can be applied"};
  }
  return router_.Append(records, log_.get(), std::move(callback));
}

void Runtime::OnDurable(const DurableBlock& block) {
  backlog_bytes_ += block->bytes.size() * loops_.size();
  for (const auto& loop : loops_) loop->Push(block);
}

void Runtime::Ask(uint8_t shard, std::function<void(Shard&)> question) { LoopOf(shard).Ask(shard, std::move(question)); }

void Runtime::AskPerson(std::string id, std::function<void(Shard&, std::string_view, Millis)> question) {
  // What was durable before this call may have merged the id: only behind it is it known which shard to ask.
  const uint8_t shard = ShardOf(id);
  Ask(shard, [this, shard, id = std::move(id), question = std::move(question)](Shard& first) {
    const std::string person(LoopOf(shard).plan_state()->merging().PersonOf(id));
    if (ShardOf(person) == shard) return question(first, person, options_.clock());
    Ask(ShardOf(person), [this, person, question](Shard& owner) { question(owner, person, options_.clock()); });
  });
}

Status Runtime::UndoMerge(std::string_view id, Log::Callback callback) {
  ByteWriter payload;
  payload.I64(options_.clock());
  payload.String(id);
  const NewRecord record{RecordType::kUndoMerge, ShardOf(id), payload.view()};
  return Append({&record, 1}, std::move(callback));
}

bool Runtime::ChangePlan(std::shared_ptr<const Plan> plan) { return changes_->Request(std::move(plan), plan_state()->plan().fingerprint); }

PlanProgress Runtime::plan_progress() const { return changes_->progress(); }

void Runtime::WhenStored(std::function<void()> then) {
  if (writer_->retrying() || writer_->failed()) return then();
  writer_->Do([then = std::move(then)] { return then(), true; }, 0);
}

void Runtime::AskLog(std::function<void(ReadableLog&)> question) { questions_->Ask(std::move(question)); }

void Runtime::AskNow(uint8_t shard, std::function<void(Shard&, Millis)> question) {
  Ask(shard, [this, question = std::move(question)](Shard& owner) {
    const Millis now = options_.clock();
    LoopOf(owner.number()).AskOnceFired(owner.number(), now, [question, now](Shard& fired) { question(fired, now); });
  });
}

void Runtime::SampleSizes() {
  if (!writer_ || writer_->retrying()) return;
  WriteBatch batch;
  const Millis now = options_.clock();
  if (server_clock_ && std::exchange(clock_noted_at_, durable_sequence()) != durable_sequence()) {
    ByteWriter last;
    last.I64(now);
    batch.Put(keys::kConfig, kClockName, last.view());
  }
  plan_state()->SampleSizes(now, &batch);
  outbox_->Trim(now, &batch);
  if (!batch.empty()) writer_->Write(std::move(batch));
}

}  // namespace attune
