#include "shard/loop.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "shard/runtime.h"

namespace attune {
namespace {

constexpr size_t kLetterOverhead = 256;
constexpr size_t kSnapshotSlice = 64;  // users written between two looks at the queue: a fraction of a millisecond
// Records of a paused shard that are applied between two looks at the others.
constexpr size_t kPausedSlice = 256;

}  // namespace

Loop::Loop(Runtime* runtime, size_t index) : runtime_(*runtime), index_(index) {}

void Loop::Start(Workers* workers) {
  moved_ = Clock::now().time_since_epoch().count();
  worker_ = workers->Start("attune-shards", [this] { return Step(); });
}

// --- any thread ---

void Loop::Push(const DurableBlock& block) {
  {
    const std::lock_guard hold(mutex_);
    tasks_.push_back({block, nullptr, 0});
    idle_.store(false, std::memory_order_release);
  }
  worker_->Wake();
}

void Loop::Ask(uint8_t shard, Question question) {
  {
    const std::lock_guard hold(mutex_);
    tasks_.push_back({{}, std::move(question), shard});
    idle_.store(false, std::memory_order_release);
  }
  worker_->Wake();
}

void Loop::Close() {
  {
    const std::lock_guard hold(mutex_);
    closing_ = true;
  }
  Wake();
}

std::chrono::steady_clock::duration Loop::Stalled() const {
  if (idle()) return {};
  return Clock::now().time_since_epoch() - Clock::duration(moved_.load(std::memory_order_relaxed));
}

// --- the loop ---

void Loop::Enter(PlanState* plan_state) {
  plan_state_ = plan_state;
  shards_.clear();
  for (size_t i = index_; i < kShards; i += runtime_.loops_.size()) shards_.push_back(&plan_state->shard(i));
  last_batch_.assign(shards_.size(), 0);
  snapshotted_ = 0;
}

Shard* Loop::Of(uint8_t number) { return number % runtime_.loops_.size() == index_ ? &plan_state_->shard(number) : nullptr; }

Worker::Next Loop::Step() {
  if (meeting_ && !runtime_.meeting_.IsOver(*meeting_)) return WaitAtMeeting();
  bool worked = false;
  if (!block_ && taken_.empty()) {
    const std::lock_guard hold(mutex_);
    taken_.swap(tasks_);
  }
  if (!block_ && !taken_.empty()) {
    Task task = std::move(taken_.front());
    taken_.pop_front();
    worked = true;
    if (!task.question) {
      block_ = std::move(task.block);
      next_ = ahead_ = 0;
    } else {
      Answer(task.shard, std::move(task.question));
    }
  }
  if (block_) worked |= ApplyBlock();
  if (meeting_) return WaitAtMeeting();  // others may work on these shards by now
  worked |= WorkOnPaused();
  bool closing = false;
  bool nothing_left = false;
  {
    const std::lock_guard hold(mutex_);
    closing = closing_;
    nothing_left = tasks_.empty() && taken_.empty() && !block_ && paused_shards_.empty();
    if (nothing_left) idle_.store(true, std::memory_order_release);
  }
  if (worked || nothing_left) moved_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  if (closing && nothing_left && !waiting_.empty()) {
    AskWaiting([](const Waiting&) { return true; });  // the log is closed
    return Worker::Next::Now();
  }
  if (closing && nothing_left) {
    if (!runtime_.recovering_) WriteLastSnapshots();
    return Worker::Next::Done();
  }
  if (closing && !runtime_.failure().ok()) return Worker::Next::Done();
  if (runtime_.recovering_) {
    if (nothing_left) runtime_.OnRecovered();
    return worked ? Worker::Next::Now() : Worker::Next::WhenWoken();
  }
  const auto rest = DoWhatIsDue();
  return worked ? Worker::Next::Now() : Worker::Next::After(rest);
}

// After a failure some loop may never come; the log has what was not applied.
Worker::Next Loop::WaitAtMeeting() {
  const std::lock_guard hold(mutex_);
  return closing_ && !runtime_.failure().ok() ? Worker::Next::Done() : Worker::Next::WhenWoken();
}

std::chrono::milliseconds Loop::DoWhatIsDue() {
  const RuntimeOptions& options = runtime_.options_;
  const auto every = [](Millis span) { return std::chrono::milliseconds(span); };
  auto now = options.steady();
  if (now >= next_tick_) {
    Tick(options.clock());
    next_tick_ = now + every(options.tick_every_ms);
  }
  // Of the sizes of segments, which the first loop takes for all.
  if (index_ == 0 && now >= next_sample_) {
    runtime_.SampleSizes();
    next_sample_ = now + every(options.sample_every_ms);
  }
  // One shard's snapshot at a time, a slice in each step. The pause after each keeps snapshots at about a tenth of the
  // loop's time, however many users change: under load a user's changes are then written together.
  if (next_snapshot_ == Clock::time_point()) next_snapshot_ = now + every(options.snapshot_every_ms);
  if (now >= next_snapshot_ || shards_[snapshotted_]->in_snapshot()) {
    const bool wrote = Snapshot();
    const auto after = options.steady();
    if (wrote) snapshot_work_ += after - now;
    if (wrote && !shards_[snapshotted_]->in_snapshot()) {
      const auto share = every(options.snapshot_every_ms) / static_cast<int>(shards_.size());
      next_snapshot_ = after + std::max<Clock::duration>(share, snapshot_work_ * 9);
      snapshot_work_ = {};
    }
    if (wrote) return std::chrono::milliseconds(0);
  }
  return std::max(std::chrono::milliseconds(1), std::chrono::duration_cast<std::chrono::milliseconds>(next_tick_ - options.steady()));
}

// --- records ---

bool Loop::ApplyBlock() {
  while (true) {
    if (meet_at_ && !Meet()) return false;
    if (!left_.empty()) DoWhatWasLeft();
    LookAhead();
    if (next_ == block_->records.size()) break;
    ApplyRecord(near_[next_++ % kNear]);
  }
  EndBlock();
  return true;
}

void Loop::EndBlock() {
  // Records of other loops only advance the position.
  for (Shard* shard : shards_) {
    if (!paused_[shard->number()]) shard->set_position(block_->last_sequence());
  }
  passed_ = block_->last_sequence();
  const size_t bytes = block_->bytes.size();
  block_.reset();
  runtime_.outbox_->Passed(index_, Passed());
  runtime_.backlog_bytes_ -= bytes;
}

uint64_t Loop::Passed() const {
  uint64_t passed = passed_;
  for (const uint8_t number : paused_shards_) {
    const auto& queue = paused_[number]->queue;
    const auto next = std::find_if(queue.begin(), queue.end(), [](const Deferred& d) { return d.sequence() > 0; });
    if (next != queue.end()) passed = std::min(passed, next->sequence() - 1);
  }
  return passed;
}

void Loop::LookAhead() {
  for (; ahead_ < block_->records.size() && ahead_ <= next_ + Engine::kExpect; ++ahead_) {
    const LoggedRecord& record = near_[ahead_ % kNear] = LoggedRecord(block_->records[ahead_]);
    Shard* shard = Of(record.shard);
    if (!shard || record.type != static_cast<uint8_t>(RecordType::kEvent)) continue;
    shard->engine().Expect(record.event().head.user);
  }
}

void Loop::ApplyRecord(const LoggedRecord& record) {
  if (record.type == static_cast<uint8_t>(RecordType::kPlan) && runtime_.changes_ && runtime_.changes_->IsChange(record)) {
    meet_at_ = record;
    return;
  }
  // What this process logged is marked for every plan that it has.
  const bool of_any_shard = runtime_.recovering_ ? plan_state_->merging().MayBeOfAnyShard(record) : IsOfAnyShard(record.type);
  if (!of_any_shard) return ApplyTo(Of(record.shard), record, {});
  // Every loop sees these, and each knows the same of who is who.
  if (plan_state_->merging().NeedsAll(record)) {
    meet_at_ = record;
    return;
  }
  if (!HoldsEvent(record.type)) return;
  const std::string person = plan_state_->merging().PersonOfEvent(record);
  ApplyTo(Of(ShardOf(person)), record, person);
}

void Loop::ApplyTo(Shard* shard, const LoggedRecord& record, std::string_view person) {
  if (!shard || shard->Includes(record.sequence)) return;
  if (Paused* paused = paused_[shard->number()].get()) {
    Deferred deferred;
    if (HoldsEvent(record.type) && paused->parting == 0) {
      const size_t users = shard->engine().user_count();
      deferred.admitted = shard->Admit(record, person);
      runtime_.stats_.users.fetch_add(shard->engine().user_count() - users, std::memory_order_relaxed);
      if (!deferred.admitted) return Publish(record, *shard, {Applied::kDuplicate, true});
    }
    deferred.block = block_;
    deferred.record = record;
    deferred.person = person;
    runtime_.backlog_bytes_ += record.payload.size();
    paused->queue.push_back(std::move(deferred));
    return;
  }
  ApplyNow(shard, record, person);
}

void Loop::ApplyNow(Shard* shard, const LoggedRecord& record, std::string_view person) {
  const size_t users = shard->engine().user_count();
  const Shard::Outcome outcome = shard->Apply(record, person, &effects_);
  runtime_.stats_.users.fetch_add(shard->engine().user_count() - users, std::memory_order_relaxed);
  Publish(record, *shard, outcome);
  if (record.type == static_cast<uint8_t>(RecordType::kTick)) AskFired();
}

// --- meetings ---

// A loop that waits at a meeting does nothing for others, so it may leave nothing undone that another needs to get there.
// That is all there is, unless every record before only had to be admitted. While the runtime recovers that is not enough: a
// shard that is ahead gives a rebuild at once what a shard behind it may have yet to note.
bool Loop::IsReadyToMeet() const {
  const bool admitted =
      meet_at_->type == static_cast<uint8_t>(RecordType::kLinking) && runtime_.parting_ == 0 && !runtime_.recovering_;
  if (!admitted && !paused_shards_.empty()) return false;
  return meet_at_->type != static_cast<uint8_t>(RecordType::kPlan) || runtime_.changes_->IsReady();
}

bool Loop::Meet() {
  if (!meeting_) {
    if (!IsReadyToMeet()) return false;
    const Meeting::Arrival arrival = runtime_.meeting_.Arrive(meet_at_->sequence, [this] { runtime_.HoldMeeting(*meet_at_); });
    if (!arrival.last) {
      meeting_ = arrival.number;
      if (!runtime_.meeting_.IsOver(*meeting_)) return false;
    } else {
      for (const auto& loop : runtime_.loops_) {
        if (loop.get() != this) loop->Wake();
      }
    }
  }
  meeting_.reset();
  meet_at_.reset();
  return true;
}

// --- paused shards ---

Loop::Paused& Loop::Pause(uint8_t shard) {
  auto& paused = paused_[shard];
  if (!paused) {
    paused = std::make_shared<Paused>();
    paused->since = Clock::now();
    paused_shards_.push_back(shard);
    idle_.store(false, std::memory_order_release);
  }
  return *paused;
}

void Loop::DoWhatWasLeft() {
  for (Left& left : std::exchange(left_, {})) {
    if (left.rebuild) {
      Paused& paused = Pause(left.rebuild->shard().number());
      paused.parting += left.rebuild->parts();
      paused.queue.emplace_back().rebuild = std::move(left.rebuild);
    } else if (Paused* paused = paused_[left.leaving->from->number()].get()) {
      paused->queue.emplace_back().leaving = std::move(left.leaving);
    } else {
      Deferred deferred;
      deferred.leaving = std::move(left.leaving);
      Leave(*deferred.leaving);
    }
  }
}

void Loop::Leave(const Merging::Leaving& leaving) {
  Merging::Leave(leaving);
  runtime_.stats_.users.fetch_sub(1, std::memory_order_relaxed);
  if (leaving.rebuild) runtime_.LoopOf(leaving.rebuild->shard().number()).Wake();
}

bool Loop::WorkOnPaused() {
  bool worked = false;
  for (size_t i = 0; i < paused_shards_.size();) {
    const uint8_t number = paused_shards_[i];
    const std::shared_ptr<Paused> paused = paused_[number];
    Shard& shard = plan_state_->shard(number);
    size_t done = 0;
    while (done < kPausedSlice && !paused->queue.empty() && DoFirst(paused, &shard)) ++done;
    worked |= done > 0;
    if (!paused->queue.empty()) {
      ++i;
      continue;
    }
    shard.set_position(passed_);
    paused_[number].reset();
    paused_shards_.erase(paused_shards_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (worked) runtime_.outbox_->Passed(index_, Passed());
  return worked;
}

bool Loop::DoFirst(const std::shared_ptr<Paused>& paused, Shard* shard) {
  if (paused->queue.front().rebuild) return WorkOnRebuild(paused);
  const Deferred first = std::move(paused->queue.front());
  paused->queue.pop_front();
  if (first.question) {
    first.question(*shard);
  } else if (first.leaving) {
    Leave(*first.leaving);
  } else {
    runtime_.backlog_bytes_ -= first.record.payload.size();
    if (first.admitted) {
      Publish(first.record, *shard, shard->ApplyAdmitted(first.record, first.person, &effects_));
    } else {
      ApplyNow(shard, first.record, first.person);
    }
  }
  return true;
}

bool Loop::WorkOnRebuild(const std::shared_ptr<Paused>& paused) {
  const std::shared_ptr<PersonRebuild> rebuild = paused->queue.front().rebuild;
  using Load = Paused::Load;
  switch (paused->load.load(std::memory_order_acquire)) {
    case Load::kLoading:
    case Load::kFailed: return false;
    case Load::kNotAsked: {
      if (!rebuild->IsGiven()) return false;
      paused->load = Load::kLoading;
      const auto load = [this, paused, rebuild](ReadableLog& log) {
        const Status loaded = rebuild->Load(*runtime_.store_, plan_state_->shards(), &log);
        if (!loaded.ok()) runtime_.Fail(loaded);
        paused->load.store(loaded.ok() ? Load::kLoaded : Load::kFailed, std::memory_order_release);
      };
      if (!rebuild->needs_log()) {
        load(*runtime_.log_);
        return true;
      }
      runtime_.questions_->Ask([this, load](ReadableLog& log) {
        load(log);
        Wake();
      });
      return false;
    }
    case Load::kLoaded: break;
  }
  if (!rebuild->Step(kPausedSlice)) return true;
  Shard& shard = rebuild->shard();
  const size_t users = shard.engine().user_count();
  const auto outcome = rebuild->Finish(&effects_);
  paused->load = Load::kNotAsked;
  runtime_.stats_.rebuilt_records.fetch_add(rebuild->records(), std::memory_order_relaxed);
  if (!outcome) return true;  // it must be loaded again
  runtime_.stats_.users.fetch_add(shard.engine().user_count() - users, std::memory_order_relaxed);
  runtime_.stats_.rebuilds.fetch_add(1, std::memory_order_relaxed);
  paused->parting -= rebuild->parts();
  runtime_.parting_ -= rebuild->parts();
  RecordView record;
  record.sequence = rebuild->sequence();
  record.type = static_cast<uint8_t>(RecordType::kLinking);
  paused->queue.pop_front();
  const bool last = paused->queue.empty() || paused->queue.front().sequence() != rebuild->sequence();
  Publish(record, shard, *outcome, rebuild->first_effect(), last);
  return true;
}

// --- what came of records ---

void Loop::Publish(const RecordView& record, Shard& shard, const Shard::Outcome& outcome, uint32_t first, bool last) {
  RuntimeStats& stats = runtime_.stats_;
  if (outcome.event) {
    stats.events.fetch_add(1, std::memory_order_relaxed);
    if (outcome.applied == Applied::kLate) stats.late.fetch_add(1, std::memory_order_relaxed);
    if (outcome.applied == Applied::kDuplicate) stats.duplicates.fetch_add(1, std::memory_order_relaxed);
  } else if (record.type == static_cast<uint8_t>(RecordType::kTick)) {
    stats.ticks.fetch_add(1, std::memory_order_relaxed);
  } else if (record.type == static_cast<uint8_t>(RecordType::kDeadLetter)) {
    stats.dead_letters.fetch_add(1, std::memory_order_relaxed);
    KeepLetter(record);
  } else if (record.type == static_cast<uint8_t>(RecordType::kReplayed)) {
    KeepLetter(record);
  }
  if (!effects_.transitions.empty() || !effects_.firings.empty()) {
    plan_state_->CountTransitions(effects_);
    stats.transitions.fetch_add(effects_.transitions.size(), std::memory_order_relaxed);
    stats.firings.fetch_add(effects_.firings.size(), std::memory_order_relaxed);
    runtime_.outbox_->Add(index_, shard.number(), record.sequence, effects_, plan_state_->program(), first, last);
  }
  effects_.transitions.clear();
  effects_.firings.clear();
}

void Loop::KeepLetter(const RecordView& record) {
  const auto& keep = runtime_.options_.on_dead_letter;
  if (!keep) return;
  if (runtime_.recovering_) {
    // Behind a refused letter no other is kept, as repeats must come in the order of the log.
    if (runtime_.failure().ok() && !keep(record)) {
      runtime_.Fail(Error{ErrorCode::kUnavailable,
                          runtime_.dir_ + "/state: storage full or failing: the store does not take the dead letters of the log"});
    }
    return;
  }
  runtime_.writer_->Do(
      [&keep, record, payload = std::string(record.payload)] {
        RecordView kept = record;
        kept.payload = payload;
        return keep(kept);
      },
      record.payload.size() + kLetterOverhead);
}

// --- time ---

// The clock of a shard moves by records alone: so a replay of the log fires the same timers at the same places.
void Loop::Tick(Millis now) {
  AskFired();  // what is due may have changed without a tick
  runtime_.outbox_->Flush(index_);
  uint64_t entries = 0;
  for (Shard* shard : shards_) {
    entries += shard->engine().timer_entries();
    if (!paused_[shard->number()] && shard->TickDue() <= now) LogTick(shard, now);
  }
  runtime_.stats_.timers += entries - std::exchange(timer_entries_, entries);
}

void Loop::LogTick(Shard* shard, Millis now) {
  ByteWriter payload;
  payload.I64(now);
  shard->TickSent();
  const uint8_t number = shard->number();
  const LogEntry entry{static_cast<uint8_t>(RecordType::kTick), number, payload.view()};
  const auto fail = [this](Shard& failed) {
    failed.TickFailed();
    AskWaiting([&](const Waiting& waiting) { return waiting.shard == failed.number(); });
  };
  const Status status = runtime_.log_->Append({&entry, 1}, [this, number, fail](const Status& durable, uint64_t) {
    if (!durable.ok()) Ask(number, fail);
  });
  if (!status.ok()) fail(*shard);
}

// --- questions ---

void Loop::Answer(uint8_t shard, Question question) {
  if (Paused* paused = paused_[shard].get()) {
    paused->queue.emplace_back().question = std::move(question);
  } else {
    question(*Of(shard));
  }
}

void Loop::AskOnceFired(uint8_t shard, Millis now, Question question) {
  if (Of(shard)->engine().NextDue() > now) return question(*Of(shard));
  waiting_.push_back({shard, now, std::move(question)});
}

void Loop::AskFired() {
  if (waiting_.empty()) return;
  AskWaiting([this](const Waiting& waiting) { return Of(waiting.shard)->engine().NextDue() > waiting.until; });
}

void Loop::AskWaiting(const std::function<bool(const Waiting&)>& may_ask) {
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(), [&](const Waiting& waiting) { return !may_ask(waiting); });
  std::vector<Waiting> asked(std::make_move_iterator(first), std::make_move_iterator(waiting_.end()));
  waiting_.erase(first, waiting_.end());
  for (Waiting& waiting : asked) Answer(waiting.shard, std::move(waiting.question));
}

// --- snapshots ---

bool Loop::Snapshot() {
  Shard& shard = *shards_[snapshotted_];
  if (!shard.in_snapshot()) {
    if (!runtime_.writer_->IsReadyAfter(last_batch_[snapshotted_])) return false;
    if (!shard.NeedsSnapshot() || paused_[shard.number()]) {
      snapshotted_ = (snapshotted_ + 1) % shards_.size();
      return false;
    }
    shard.BeginSnapshot();
  }
  if (!shard.ContinueSnapshot(kSnapshotSlice)) return true;
  last_batch_[snapshotted_] = FinishSnapshot(&shard);
  snapshotted_ = (snapshotted_ + 1) % shards_.size();
  return true;
}

uint64_t Loop::FinishSnapshot(Shard* shard) {
  // Before the state that includes what they are about.
  runtime_.outbox_->Flush(index_);
  runtime_.stats_.snapshots.fetch_add(1, std::memory_order_relaxed);
  return runtime_.writer_->Write(shard->TakeBatch());
}

// Whole, so that the next start reads no tail.
void Loop::WriteLastSnapshots() {
  for (Shard* shard : shards_) {
    while (shard->in_snapshot() && !shard->ContinueSnapshot(kSnapshotSlice)) continue;
    if (shard->in_snapshot()) FinishSnapshot(shard);
    shard->BeginSnapshot();
    while (!shard->ContinueSnapshot(kSnapshotSlice)) continue;
    FinishSnapshot(shard);
  }
}

}  // namespace attune
