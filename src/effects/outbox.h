// The outbox: every effect of the shards under its id, in one order for all loops, kept for a bounded span so that whoever
// lost the thread takes it up again where it was.
//
// Each loop has a *lane*: it adds the effects of the records that it applies, and says how far in the log it has come.
// What every lane has passed is told: it stands in memory, the newest first to be asked for, and in the store. An effect
// is written before the snapshot of the shard whose state includes it, so a crash loses none: what is not in the store
// comes again, under the same id, from the log's tail.
//
// Under another plan the log builds another state. What the records up to the last snapshot, or in the outbox, had
// brought about was said, and stays as it was said; nothing is added to it.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "effects/effect.h"
#include "effects/outbox_marks.h"
#include "log/shard_of.h"
#include "state/store.h"

namespace attune {

struct OutboxOptions {
  size_t max_effects = 1'000'000;  // about so many of the newest are kept ...
  Millis max_age = 7 * kDay;       // ... and none that was told longer ago, give or take an hour or two
  size_t memory_bytes = 16 << 20;  // of the newest, which are read without the store
};

class Outbox {
 public:
  // Writes a batch on another thread, after those given before, and calls `then` on that thread.
  using Write = std::function<void(WriteBatch batch, std::function<void(bool written)> then)>;

  // `store` must outlive it.
  Outbox(Store* store, size_t lanes, OutboxOptions options);

  // --- opening: the shards' states are there, records behind them are about to be applied ---

  Status Restore();
  // A snapshot in the store, of whatever plan, includes this record. Any thread; each shard once.
  void SetSnapshot(uint8_t shard, uint64_t position) { published_[shard] = std::max(published_[shard], position); }
  // The log's records up to `last` are applied next, as far as shards do not include them, through Add alone. Of these the
  // newest max_effects are told.
  Status BeginRecovery(uint64_t last);
  // They have been. From here on `write` serves, which must be at an end before the outbox is.
  Status EndRecovery(Write write);

  // --- a lane: on its loop's thread ---

  // What came of a record. Those of one shard come in the order of the log. `first`: the index of the first effect. `last`:
  // no more comes of the record in this shard; until then a stop has all of it come again.
  void Add(size_t lane, uint8_t shard, uint64_t sequence, const Effects& effects, const Program& program, uint32_t first = 0, bool last = true);
  // The same in words, with ids of that sequence.
  void Add(size_t lane, uint8_t shard, uint64_t sequence, std::vector<PublishedEffect> effects, bool last = true);
  // Every record up to this one has been applied, as far as it is the lane's.
  void Passed(size_t lane, uint64_t position);
  // Hands on to `write` what waits for it. To be called before a snapshot is written, and now and then.
  void Flush(size_t lane);

  // --- any thread ---

  // Sets marks and drops what is too old or too much; `batch` gets what the store needs to follow.
  void Trim(Millis now, WriteBatch* batch);

  // Everything that records up to this one brought about has been told.
  uint64_t position() const;
  // What came before this effect, and it itself, may be gone.
  EffectId floor() const;
  uint64_t effects() const;
  // Bytes that wait for the store: a reason to take in fewer records.
  size_t unwritten_bytes() const { return unwritten_bytes_.load(std::memory_order_relaxed); }

  // Calls once, when position() has reached the sequence: at once, or on a loop's thread.
  void WhenPassed(uint64_t sequence, std::function<void()> then);
  // Called on a loop's thread whenever something was told, under a lock: it must not call back. Empty: nobody. When this
  // returns the one before is called no more.
  void SetListener(std::function<void()> listener);

  struct Page {
    std::vector<std::shared_ptr<const std::vector<PublishedEffect>>> blocks;  // may begin with effects up to the cursor
    EffectId next;                                                       // the cursor behind all of them
    bool more = false;                                                   // there is more, to be asked for at once
    bool gone = false;                                                   // what follows the cursor is no longer kept
  };
  // What comes after the cursor, about `bytes` of it. Blocks on the disk when it is not in memory.
  Result<Page> Read(EffectId cursor, size_t bytes) const;
  // The newest first, until `visit` returns false. Blocks as Read does.
  Status ForEachBackwards(const std::function<bool(const PublishedEffect&)>& visit) const;

 private:
  using Block = std::vector<PublishedEffect>;
  struct Lane {
    // The loop's alone: what has been added and not been handed on, to the others and to the store.
    Block fresh;
    WriteBatch batch;
    size_t batch_bytes = 0;
    std::array<uint64_t, kShards> published{};  // the last record in the batch, by shard
    uint64_t position = 0;
    // Guarded by the mutex.
    std::deque<PublishedEffect> waiting;  // for the other lanes
    uint64_t applied = 0;
    uint64_t stored = 0;  // everything up to this record is in the store
    int writes = 0;       // under way
  };

  void PutPublished(Lane* lane);
  void OnWritten(size_t lane, uint64_t position, size_t bytes, bool written);
  bool Release(std::vector<std::function<void()>>* due);
  void Evict();
  uint64_t Stored() const;
  Result<Page> ReadStore(EffectId cursor, EffectId up_to, size_t bytes) const;

  Store& store_;
  const OutboxOptions options_;
  Write write_;                           // empty: recovering
  std::array<uint64_t, kShards> published_{};  // records up to these had their effects told by an earlier process
  uint64_t skip_ = 0;                     // recovery tells nothing of records up to this one
  std::atomic<size_t> unwritten_bytes_{0};
  std::atomic<bool> failed_{false};  // the store took a batch no more: what is in memory is all there is

  mutable std::mutex mutex_;  // guards all below, and what it says of lanes
  std::deque<Lane> lanes_;
  OutboxMarks marks_;
  uint64_t position_ = 0;
  std::deque<std::shared_ptr<const Block>> ring_;  // the newest, each in order, none empty
  size_t ring_bytes_ = 0;
  EffectId ring_begin_;  // the ring holds everything told after it
  std::vector<std::pair<uint64_t, std::function<void()>>> expecting_;
  std::function<void()> listener_;
};

}  // namespace attune
