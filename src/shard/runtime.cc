#include "shard/runtime.h"

#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "base/check.h"
#include "log/data_lock.h"
#include "log/reader.h"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

// Beyond this much accepted and not yet applied, new records are refused: memory stays bounded, clients wait.
constexpr size_t kMaxBacklogBytes = 128 << 20;
constexpr size_t kSnapshotSlice = 64;  // users written between two looks at the queue: a fraction of a millisecond

}  // namespace

struct Runtime::Lock {
  DataLock lock;
};

// Batches are written one after the other, in the order they came.
class Runtime::Writer {
 public:
  explicit Writer(Store* store) : store_(*store), thread_([this] { Run(); }) {}
  ~Writer() {
    {
      const std::lock_guard hold(mutex_);
      closing_ = true;
    }
    work_.notify_one();
    thread_.join();
  }

  // Its number: they count from 1.
  uint64_t Write(WriteBatch batch) {
    uint64_t number = 0;
    {
      const std::lock_guard hold(mutex_);
      batches_.push_back(std::move(batch));
      number = ++taken_;
    }
    work_.notify_one();
    return number;
  }
  // Whether a batch has been written and few others wait.
  bool IsReadyAfter(uint64_t number) {
    const std::lock_guard hold(mutex_);
    return !failed_ && taken_ - batches_.size() >= number && batches_.size() <= 2;
  }

 private:
  void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      work_.wait(hold, [&] { return closing_ || !batches_.empty(); });
      if (batches_.empty()) return;
      const WriteBatch batch = std::move(batches_.front());
      hold.unlock();
      // A snapshot that is not written costs a longer recovery, nothing else; the shard's next one carries only later
      // changes, though, so after a failure none may follow.
      const bool written = !failed_ && store_.Write(batch).ok();
      hold.lock();
      failed_ |= !written;
      batches_.pop_front();
    }
  }

  Store& store_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<WriteBatch> batches_;  // the first is being written
  uint64_t taken_ = 0;
  bool closing_ = false;
  bool failed_ = false;
  std::thread thread_;
};

// Questions are answered one after the other, in the order they came; destroyed, it answers those that wait.
class Runtime::Reader {
 public:
  explicit Reader(LogLookup* lookup) : lookup_(*lookup), thread_([this] { Run(); }) {}
  ~Reader() {
    {
      const std::lock_guard hold(mutex_);
      closing_ = true;
    }
    work_.notify_one();
    thread_.join();
  }

  void Ask(std::function<void(LogLookup&)> question) {
    {
      const std::lock_guard hold(mutex_);
      questions_.push_back(std::move(question));
    }
    work_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      work_.wait(hold, [&] { return closing_ || !questions_.empty(); });
      if (questions_.empty()) return;
      const auto question = std::move(questions_.front());
      questions_.pop_front();
      hold.unlock();
      question(lookup_);
      hold.lock();
    }
  }

  LogLookup& lookup_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::function<void(LogLookup&)>> questions_;
  bool closing_ = false;
  std::thread thread_;
};

// --- opening ---

Runtime::Runtime(std::string dir, std::shared_ptr<const Program> program, RuntimeOptions options)
    : dir_(std::move(dir)),
      program_(std::move(program)),
      options_(std::move(options)),
      sizes_(program_->segment_count),
      size_history_(*program_->plan),
      meeting_(options_.threads, Meeting{this}) {}

Result<std::unique_ptr<Runtime>> Runtime::Open(const std::string& dir, std::shared_ptr<const Program> program,
                                               RuntimeOptions options) {
  auto lock = DataLock::Take(dir);
  if (!lock.ok()) return lock.error();
  auto runtime = std::unique_ptr<Runtime>(new Runtime(dir, std::move(program), std::move(options)));
  runtime->lock_ = std::make_unique<Lock>(Lock{std::move(lock).value()});
  if (Status status = runtime->Recover(); !status.ok()) {
    runtime->closed_ = true;
    return status.error();
  }
  return runtime;
}

Status Runtime::Recover() {
  auto store = Store::Open(dir_ + "/state");
  if (!store.ok()) return store.error();
  store_ = std::move(store).value();
  for (int i = 0; i < options_.threads; ++i) loops_.push_back(std::make_unique<Loop>(this, program_, i));
  for (int i = 0; i < kShards; ++i) {
    Loop& loop = *loops_[static_cast<size_t>(i % options_.threads)];
    loop.shards.push_back(std::make_unique<Shard>(static_cast<uint8_t>(i), program_, &loop.reader));
    loop.last_batch.push_back(0);
  }
  if (Status status = RestoreShards(); !status.ok()) return status;
  for (const auto& loop : loops_) {
    for (const auto& shard : loop->shards) shards_[shard->number()] = shard.get();
  }
  if (Status status = size_history_.Restore(*store_); !status.ok()) return status;
  LogOptions log_options = options_.log;
  log_options.on_durable = [this](const DurableBlock& block) { OnDurable(block); };
  auto log = Log::Open(dir_ + "/log", std::move(log_options));
  if (!log.ok()) return log.error();
  log_ = std::move(log).value();
  auto lookup = LogLookup::Open(dir_ + "/log");
  if (!lookup.ok()) return lookup.error();
  lookup_ = std::move(lookup).value();
  merging_ = std::make_unique<Merging>(program_, store_.get(), lookup_.get());
  if (Status status = ReadTail(); !status.ok()) return status;
  router_.Restore(merging_->identity());
  reader_ = std::make_unique<Reader>(lookup_.get());
  writer_ = std::make_unique<Writer>(store_.get());
  writer_->Write(merging_->ForgetEnded());
  for (auto& size : sizes_) size = 0;  // the tail's changes among them may have been counted before
  for (Shard* shard : shards_) {
    for (ConditionId c = 0; c < program_->segment_count; ++c) sizes_[c] += shard->engine().SegmentSize(c);
  }
  stats_.users = TotalUsers();
  for (const auto& loop : loops_) loop->thread = std::thread([&loop = *loop] { loop.Run(); });
  return {};
}

Status Runtime::RestoreShards() {
  std::vector<std::thread> threads;
  std::vector<Status> results(loops_.size());
  for (size_t i = 0; i < loops_.size(); ++i) {
    threads.emplace_back([this, i, &results] {
      for (const auto& shard : loops_[i]->shards) {
        if (Status status = shard->Restore(*store_); !status.ok()) {
          results[i] = status;
          return;
        }
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
  for (const auto& loop : loops_) {
    for (const auto& shard : loop->shards) {
      if (shard->position() > last) {
        return Error{ErrorCode::kCorrupt,
                     "a snapshot includes records that the log does not hold; a log file is missing"};
      }
      from = std::min(from, shard->position());
    }
  }
  if (Status status = merging_->Restore(from); !status.ok()) return status;
  std::vector<std::thread> threads;
  std::vector<Status> results(loops_.size());
  std::atomic<uint64_t> read{0};
  for (size_t i = 0; i < loops_.size(); ++i) {
    threads.emplace_back([this, i, from, last, &results, &read] {
      Loop& loop = *loops_[i];
      loop.position = last;
      auto reader = LogReader::Open(dir_ + "/log", from + 1, {.last_sequence = last});
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
  for (const auto& loop : loops_) {
    for (const auto& shard : loop->shards) {
      shard->set_position(last);
      shard->TickFailed();  // one that was under way at the crash either was read or never will be
    }
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
  log_->Close();
  for (const auto& loop : loops_) {
    {
      const std::lock_guard hold(loop->mutex);
      loop->closing = true;
    }
    loop->work.notify_one();
  }
  for (const auto& loop : loops_) loop->thread.join();
  SampleSizes();
  writer_.reset();
  reader_.reset();
}

// --- records in ---

Status Runtime::Append(std::span<LogEntry> entries, Log::Callback callback) {
  if (backlog_bytes_.load(std::memory_order_relaxed) > kMaxBacklogBytes) {
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
    const std::string person(merging_->PersonOf(id));
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

void Runtime::AskLog(std::function<void(LogLookup&)> question) { reader_->Ask(std::move(question)); }

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

// --- a loop ---

Shard* Runtime::Loop::Of(uint8_t number) {
  const int threads = static_cast<int>(runtime->loops_.size());
  return number % threads == index ? shards[static_cast<size_t>(number / threads)].get() : nullptr;
}

void Runtime::Loop::Run() {
  next_snapshot = Clock::now() + std::chrono::milliseconds(runtime->options_.snapshot_every_ms);
  auto next_tick = Clock::now();
  auto next_sample = Clock::now();  // of the sizes of segments, which the first loop takes for all
  std::deque<Task> taken;
  while (true) {
    {
      std::unique_lock hold(mutex);
      const bool busy = shards[snapshotted]->in_snapshot();
      if (!busy) work.wait_until(hold, next_tick, [&] { return closing || !tasks.empty(); });
      if (closing && tasks.empty()) break;
      taken.swap(tasks);
    }
    for (Task& task : taken) {
      if (task.question) {
        task.question(*Of(task.shard));
      } else {
        Apply(task.block);
        runtime->backlog_bytes_ -= task.block.bytes->size();
      }
    }
    taken.clear();
    if (Clock::now() >= next_tick) {
      Tick(runtime->options_.clock());
      next_tick = Clock::now() + std::chrono::milliseconds(runtime->options_.tick_every_ms);
    }
    if (index == 0 && Clock::now() >= next_sample) {
      runtime->SampleSizes();
      next_sample = Clock::now() + std::chrono::milliseconds(runtime->options_.sample_every_ms);
    }
    Snapshot();
  }
  // The last snapshot: whole, so that the next start reads no tail.
  for (const auto& shard : shards) {
    while (shard->in_snapshot() && !shard->ContinueSnapshot(kSnapshotSlice)) continue;
    if (shard->in_snapshot()) FinishSnapshot(shard.get());
    shard->BeginSnapshot();
    while (!shard->ContinueSnapshot(kSnapshotSlice)) continue;
    FinishSnapshot(shard.get());
  }
}

void Runtime::Loop::Apply(const DurableBlock& block) {
  std::string_view bytes(*block.bytes), ahead = bytes;
  RecordView record, expected;
  size_t lead = 0;  // records that `ahead` is in front
  while (true) {
    for (; lead <= Engine::kExpect && TakeRecord(&ahead, &expected); ++lead) Expect(expected);
    if (!TakeRecord(&bytes, &record)) break;
    --lead;
    ApplyRecord(record);
    position = record.sequence;
  }
  // What the other loops own is no business of these shards: their state includes it all the same.
  for (const auto& shard : shards) shard->set_position(block.last_sequence);
}

void Runtime::Loop::Expect(const RecordView& record) {
  Shard* shard = Of(record.shard);
  if (!shard || record.type != static_cast<uint8_t>(RecordType::kEvent)) return;
  const auto event = DecodeEvent(record.payload);
  if (event.ok()) shard->engine().Expect(event->head.user);
}

void Runtime::Loop::ApplyRecord(const RecordView& record) {
  if (record.type == static_cast<uint8_t>(RecordType::kLinked) ||
      record.type == static_cast<uint8_t>(RecordType::kLinking) ||
      record.type == static_cast<uint8_t>(RecordType::kUndoMerge)) {
    return ApplyLinked(record);
  }
  Shard* shard = Of(record.shard);
  if (!shard || shard->Includes(record.sequence)) return;
  const size_t users = shard->engine().user_count();
  const Shard::Outcome outcome = shard->Apply(record, {}, &effects);
  runtime->stats_.users.fetch_add(shard->engine().user_count() - users, std::memory_order_relaxed);
  Told(record, *shard, outcome);
}

// Every loop sees these, and each knows the same of who is who.
void Runtime::Loop::ApplyLinked(const RecordView& record) {
  Merging& merging = *runtime->merging_;
  if (merging.NeedsAll(record)) {
    runtime->met_for_.store(&record);
    runtime->meeting_.arrive_and_wait();
    return;
  }
  const auto event = DecodeEvent(record.payload);
  ATTUNE_CHECK(event.ok(), "a durable event can be read");
  const std::string person(merging.PersonOf(event->head.user));
  Shard* shard = Of(ShardOf(person));
  if (!shard || shard->Includes(record.sequence)) return;
  const size_t users = shard->engine().user_count();
  const Shard::Outcome outcome = shard->Apply(record, person, &effects);
  runtime->stats_.users.fetch_add(shard->engine().user_count() - users, std::memory_order_relaxed);
  Told(record, *shard, outcome);
}

size_t Runtime::TotalUsers() const {
  size_t users = 0;
  for (Shard* shard : shards_) users += shard->engine().user_count();
  return users;
}

// On the thread of the loop that came last; the others wait.
void Runtime::Meet() noexcept {
  const RecordView* record = met_for_.exchange(nullptr);
  if (!record) return;  // a loop failed in the recovery
  Shard* shard = nullptr;
  Loop& loop = *loops_[0];
  const size_t users = TotalUsers();
  const Shard::Outcome outcome = merging_->Apply(*record, shards_, &shard, &loop.effects);
  stats_.users.fetch_add(TotalUsers() - users, std::memory_order_relaxed);
  loop.Told(*record, *shard, outcome);
}

void Runtime::Loop::Told(const RecordView& record, Shard& shard, const Shard::Outcome& outcome) {
  RuntimeStats& stats = runtime->stats_;
  if (outcome.event) {
    stats.events.fetch_add(1, std::memory_order_relaxed);
    if (outcome.applied == Applied::kLate) stats.late.fetch_add(1, std::memory_order_relaxed);
    if (outcome.applied == Applied::kDuplicate) stats.duplicates.fetch_add(1, std::memory_order_relaxed);
  } else if (record.type == static_cast<uint8_t>(RecordType::kTick)) {
    stats.ticks.fetch_add(1, std::memory_order_relaxed);
  } else if (record.type == static_cast<uint8_t>(RecordType::kDeadLetter)) {
    stats.dead_letters.fetch_add(1, std::memory_order_relaxed);
  }
  if (!effects.transitions.empty() || !effects.firings.empty()) runtime->OnTransitions(effects);
  const bool told = !effects.transitions.empty() || !effects.firings.empty() ||
                    record.type == static_cast<uint8_t>(RecordType::kDeadLetter);
  if (told && runtime->options_.on_effects) runtime->options_.on_effects(record, shard.engine(), effects);
  effects.transitions.clear();
  effects.firings.clear();
}

void Runtime::OnTransitions(const Effects& effects) {
  for (const Transition& transition : effects.transitions) {
    sizes_[transition.segment].fetch_add(transition.enter ? 1 : -1, std::memory_order_relaxed);
  }
  stats_.transitions.fetch_add(effects.transitions.size(), std::memory_order_relaxed);
  stats_.firings.fetch_add(effects.firings.size(), std::memory_order_relaxed);
}

void Runtime::SampleSizes() {
  const std::vector<ConditionId>& conditions = program_->condition_of_segment;
  std::vector<uint64_t> sizes(conditions.size());
  for (size_t i = 0; i < sizes.size(); ++i) sizes[i] = SegmentSize(conditions[i]);
  WriteBatch batch;
  size_history_.Sample(options_.clock(), sizes, &batch);
  if (!batch.empty()) writer_->Write(std::move(batch));
}

std::vector<SizePoint> Runtime::SegmentSizes(ConditionId segment) const {
  const auto& conditions = program_->condition_of_segment;
  const auto place = std::find(conditions.begin(), conditions.end(), segment) - conditions.begin();
  return size_history_.Of(static_cast<size_t>(place));
}

// The clock of a shard moves by records alone: so a replay of the log fires the same timers at the same places.
void Runtime::Loop::Tick(Millis now) {
  for (const auto& shard : shards) {
    if (shard->TickDue() <= now) LogTick(shard.get(), now, nullptr);
  }
}

void Runtime::Loop::LogTick(Shard* shard, Millis now, std::function<void()> then) {
  ByteWriter payload;
  payload.I64(now);
  shard->TickSent();
  const uint8_t number = shard->number();
  const LogEntry entry{static_cast<uint8_t>(RecordType::kTick), number, payload.view()};
  const Status status = runtime->log_->Append({&entry, 1}, [this, number, then](const Status& durable, uint64_t) {
    if (!durable.ok()) runtime->Ask(number, [](Shard& failed) { failed.TickFailed(); });
    if (then) then();
  });
  if (status.ok()) return;
  shard->TickFailed();
  if (then) then();
}

// One shard at a time, a slice in each turn of the loop. The pause after each keeps snapshots at about a tenth of the
// loop's time, however many users change: under load a user's changes are then written together.
void Runtime::Loop::Snapshot() {
  const auto now = Clock::now();
  Shard& shard = *shards[snapshotted];
  if (!shard.in_snapshot()) {
    if (now < next_snapshot || !runtime->writer_->IsReadyAfter(last_batch[snapshotted])) return;
    if (!shard.NeedsSnapshot()) {
      snapshotted = (snapshotted + 1) % shards.size();
      return;
    }
    shard.BeginSnapshot();
    snapshot_work = {};
  }
  const bool complete = shard.ContinueSnapshot(kSnapshotSlice);
  snapshot_work += Clock::now() - now;
  if (!complete) return;
  last_batch[snapshotted] = FinishSnapshot(&shard);
  snapshotted = (snapshotted + 1) % shards.size();
  const auto share = std::chrono::milliseconds(runtime->options_.snapshot_every_ms) / static_cast<int>(shards.size());
  next_snapshot = Clock::now() + std::max<Clock::duration>(share, snapshot_work * 9);
}

uint64_t Runtime::Loop::FinishSnapshot(Shard* shard) {
  runtime->stats_.snapshots.fetch_add(1, std::memory_order_relaxed);
  return runtime->writer_->Write(shard->TakeBatch());
}

}  // namespace attune
