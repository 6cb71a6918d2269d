// The loops of a runtime.
#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "base/check.h"
#include "shard/runtime.h"
#include "state/keyspace.h"

namespace attune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kLetterOverhead = 256;
constexpr size_t kSnapshotSlice = 64;  // users written between two looks at the queue: a fraction of a millisecond

}  // namespace

void Runtime::Loop::Enter(World* entered) {
  world = entered;
  shards.clear();
  for (size_t i = static_cast<size_t>(index); i < kShards; i += static_cast<size_t>(runtime->options_.threads)) shards.push_back(&world->shard(i));
  last_batch.assign(shards.size(), 0);
  snapshotted = 0;
}

Shard* Runtime::Loop::Of(uint8_t number) {
  return number % runtime->options_.threads == index ? &world->shard(number) : nullptr;
}

// One shard's snapshot at a time, a slice in each turn of the loop. The pause after each keeps snapshots at about a tenth of
// the loop's time, however many users change: under load a user's changes are then written together.
void Runtime::Loop::Run() {
  const auto share = std::chrono::milliseconds(runtime->options_.snapshot_every_ms) / static_cast<int>(shards.size());
  auto next_snapshot = Clock::now() + std::chrono::milliseconds(runtime->options_.snapshot_every_ms);
  Clock::duration snapshot_work{};
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
    for (const Task& task : taken) Do(task);
    taken.clear();
    if (Clock::now() >= next_tick) {
      Tick(runtime->options_.clock());
      next_tick = Clock::now() + std::chrono::milliseconds(runtime->options_.tick_every_ms);
    }
    if (index == 0 && Clock::now() >= next_sample) {
      runtime->SampleSizes();
      next_sample = Clock::now() + std::chrono::milliseconds(runtime->options_.sample_every_ms);
    }
    const auto now = Clock::now();
    if (now < next_snapshot && !shards[snapshotted]->in_snapshot()) continue;
    if (!Snapshot()) continue;
    snapshot_work += Clock::now() - now;
    if (shards[snapshotted]->in_snapshot()) continue;
    next_snapshot = Clock::now() + std::max<Clock::duration>(share, snapshot_work * 9);
    snapshot_work = {};
  }
  WriteLastSnapshots();
}

void Runtime::Loop::Do(const Task& task) {
  if (task.question) return task.question(*Of(task.shard));
  Apply(task.block);
  runtime->backlog_bytes_ -= task.block.bytes->size();
}

// Whole, so that the next start reads no tail.
void Runtime::Loop::WriteLastSnapshots() {
  for (Shard* shard : shards) {
    while (shard->in_snapshot() && !shard->ContinueSnapshot(kSnapshotSlice)) continue;
    if (shard->in_snapshot()) FinishSnapshot(shard);
    shard->BeginSnapshot();
    while (!shard->ContinueSnapshot(kSnapshotSlice)) continue;
    FinishSnapshot(shard);
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
  }
  // What the other loops own is no business of these shards: their state includes it all the same.
  for (Shard* shard : shards) shard->set_position(block.last_sequence);
  runtime->outbox_->Passed(static_cast<size_t>(index), block.last_sequence);
}

void Runtime::Loop::Expect(const RecordView& record) {
  Shard* shard = Of(record.shard);
  if (!shard || record.type != static_cast<uint8_t>(RecordType::kEvent)) return;
  const auto event = DecodeEvent(record.payload);
  if (event.ok()) shard->engine().Expect(event->head.user);
}

void Runtime::Loop::ApplyRecord(const RecordView& record) {
  if (record.type == static_cast<uint8_t>(RecordType::kPlan) && runtime->IsPlanChange(record)) return MeetAt(record);
  if (!IsOfAnyShard(record.type)) return ApplyTo(Of(record.shard), record, {});
  // Every loop sees these, and each knows the same of who is who.
  if (world->merging().NeedsAll(record)) return MeetAt(record);
  const std::string person = world->merging().PersonOfEvent(record);
  ApplyTo(Of(ShardOf(person)), record, person);
}

void Runtime::Loop::ApplyTo(Shard* shard, const RecordView& record, std::string_view person) {
  if (!shard || shard->Includes(record.sequence)) return;
  const size_t users = shard->engine().user_count();
  const Shard::Outcome outcome = shard->Apply(record, person, &effects);
  runtime->stats_.users.fetch_add(shard->engine().user_count() - users, std::memory_order_relaxed);
  Told(record, *shard, outcome);
}

void Runtime::Loop::MeetAt(const RecordView& record) {
  runtime->met_for_.store(&record);
  runtime->meeting_.arrive_and_wait();
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
    KeepLetter(record);
  } else if (record.type == static_cast<uint8_t>(RecordType::kReplayed)) {
    KeepLetter(record);
  }
  if (!effects.transitions.empty() || !effects.firings.empty()) {
    world->CountTransitions(effects);
    stats.transitions.fetch_add(effects.transitions.size(), std::memory_order_relaxed);
    stats.firings.fetch_add(effects.firings.size(), std::memory_order_relaxed);
    // At a meeting the shard may be another loop's, which stands still: what it had said before goes out first.
    runtime->outbox_->Add(runtime->LaneOf(shard), shard.number(), record.sequence, effects, world->program());
  }
  effects.transitions.clear();
  effects.firings.clear();
}

void Runtime::Loop::KeepLetter(const RecordView& record) {
  const auto& keep = runtime->options_.on_dead_letter;
  if (!keep) return;
  if (!runtime->writer_) return static_cast<void>(keep(record));  // recovering: what fails now fails the start, too
  runtime->writer_->Do(
      [&keep, record, payload = std::string(record.payload)] {
        RecordView kept = record;
        kept.payload = payload;
        return keep(kept);
      },
      record.payload.size() + kLetterOverhead);
}

void Runtime::SampleSizes() {
  if (writer_->retrying()) return;
  WriteBatch batch;
  const Millis now = options_.clock();
  if (server_clock_ && std::exchange(clock_noted_at_, durable_sequence()) != durable_sequence()) {
    ByteWriter last;
    last.I64(now);
    batch.Put(keys::kConfig, kClockName, last.view());
  }
  world()->SampleSizes(now, &batch);
  outbox_->Trim(now, &batch);
  if (!batch.empty()) writer_->Write(std::move(batch));
}

// The clock of a shard moves by records alone: so a replay of the log fires the same timers at the same places.
void Runtime::Loop::Tick(Millis now) {
  runtime->outbox_->Flush(static_cast<size_t>(index));
  for (Shard* shard : shards) {
    if (shard->TickDue() <= now) LogTick(shard, now, nullptr);
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

bool Runtime::Loop::Snapshot() {
  Shard& shard = *shards[snapshotted];
  if (!shard.in_snapshot()) {
    if (!runtime->writer_->IsReadyAfter(last_batch[snapshotted])) return false;
    if (!shard.NeedsSnapshot()) {
      snapshotted = (snapshotted + 1) % shards.size();
      return false;
    }
    shard.BeginSnapshot();
  }
  if (!shard.ContinueSnapshot(kSnapshotSlice)) return true;
  last_batch[snapshotted] = FinishSnapshot(&shard);
  snapshotted = (snapshotted + 1) % shards.size();
  return true;
}

uint64_t Runtime::Loop::FinishSnapshot(Shard* shard) {
  // Before the state that includes what they say.
  runtime->outbox_->Flush(static_cast<size_t>(index));
  runtime->stats_.snapshots.fetch_add(1, std::memory_order_relaxed);
  return runtime->writer_->Write(shard->TakeBatch());
}

}  // namespace attune
