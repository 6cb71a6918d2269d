// The outbox: every effect of the shards under its id, in one order for all loops, kept for a bounded span so that a
// disconnected consumer resumes exactly where it stopped.
//
// Each loop has a *lane*. The loop adds the effects of the records that it applies, and reports the position that it
// has reached in the log. Effects that every lane has passed are published: they are in memory, which serves the
// newest, and in the store. An effect is written before the snapshot of the shard whose state includes it, so a crash
// loses none: effects that the store lacks are produced again, under the same ids, by the tail of the log.
//
// Under another plan the log builds another state. The published effects of records up to the last snapshot, or in the
// outbox, stay as they are; nothing is added to them.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "effects/effect.h"
#include "effects/outbox_marks.h"
#include "log/shard_of.h"
#include "state/store.h"

namespace attune {

struct OutboxOptions {
  size_t max_effects = 1'000'000;  // about this many of the newest effects are kept ...
  Millis max_age = 7 * kDay;       // ... and none that was published longer ago, plus or minus an hour or two
  size_t memory_bytes = 16 << 20;  // for the newest effects, which are read without the store
};

class Outbox {
 public:
  // Writes a batch on another thread, after those given before, and calls `then` on that thread.
  using Write = std::function<void(WriteBatch batch, std::function<void(bool written)> then)>;

  // `store` must outlive it.
  Outbox(Store* store, size_t lanes, OutboxOptions options);

  // --- opening: the shards' states are loaded; the records after them are about to be applied ---

  Status Restore();
  // A snapshot in the store, under any plan, includes this record. Called from any thread, once per shard.
  void SetSnapshot(uint8_t shard, uint64_t position) { published_[shard] = std::max(published_[shard], position); }
  // The log's records up to `last`, except those that shards already include, are applied next, through Add alone. Only
  // the effects of the newest max_effects of these records are published.
  Status BeginRecovery(uint64_t last);
  // Recovery is complete. From here on the outbox writes through `write`, which must finish before the outbox is
  // destroyed.
  Status EndRecovery(Write write);

  // --- a lane: on its loop's thread ---

  // The effects of a record. Records of one shard come in the order of the log. `first`: the index of the first effect.
  // `last`: the record has no more effects in this shard; if the process stops before that, all of them come again.
  void Add(size_t lane, uint8_t shard, uint64_t sequence, const Effects& effects, const Program& program, uint32_t first = 0, bool last = true);
  // The same for effects that already have ids of that sequence.
  void Add(size_t lane, uint8_t shard, uint64_t sequence, std::vector<PublishedEffect> effects, bool last = true);
  // The lane has applied all of its records up to this one.
  void Passed(size_t lane, uint64_t position);
  // Passes the pending batch to `write`. Call it before a snapshot is written, and periodically.
  void Flush(size_t lane);

  // --- any thread ---

  // Sets marks and evicts effects that are too old or too many; `batch` gets the matching changes of the store.
  void Trim(Millis now, WriteBatch* batch);

  // All effects of records up to this one have been published.
  uint64_t position() const;
  // This effect and those before it may be gone.
  EffectId floor() const;
  uint64_t effects() const;
  void AddMetrics(Metrics* metrics) const;
  // Bytes not yet written to the store: the signal for backpressure on intake.
  size_t unwritten_bytes() const { return unwritten_bytes_.load(std::memory_order_relaxed); }

  // Calls `then` once, when position() has reached the sequence: immediately, or on a loop's thread.
  void WhenPassed(uint64_t sequence, std::function<void()> then);
  // The listener is called on a loop's thread after each publication, under a lock: it must not call the outbox. Empty:
  // no listener. After this returns, the previous listener is no longer called.
  void SetListener(std::function<void()> listener);

  struct Page {
    std::vector<std::shared_ptr<const std::vector<PublishedEffect>>> blocks;  // may begin with effects up to the cursor
    EffectId next;                                                       // the cursor after all of them
    bool more = false;                                                   // more is available now
    bool gone = false;                                                   // effects after the cursor have been evicted
  };
  // About `bytes` of the effects after the cursor. Blocks on the disk when they are not in memory.
  Result<Page> Read(EffectId cursor, size_t bytes) const;
  // From the newest backwards, until `visit` returns false. Blocks as Read does.
  Status ForEachBackwards(const std::function<bool(const PublishedEffect&)>& visit) const;

 private:
  using Block = std::vector<PublishedEffect>;
  struct Lane {
    // Used by the loop alone: effects added but not yet passed to the other lanes and to the store.
    Block fresh;
    WriteBatch batch;
    size_t batch_bytes = 0;
    std::array<uint64_t, kShards> published{};  // the last record in the batch, by shard
    uint64_t position = 0;
    // Guarded by the mutex.
    std::deque<PublishedEffect> waiting;  // until the other lanes reach them
    uint64_t applied = 0;
    uint64_t stored = 0;  // everything up to this record is in the store
    int writes = 0;       // in progress
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
  std::array<uint64_t, kShards> published_{};  // an earlier process published the effects of records up to these
  uint64_t skip_ = 0;                     // recovery publishes no effects of records up to this one
  std::atomic<size_t> unwritten_bytes_{0};
  std::atomic<bool> failed_{false};  // a write to the store failed: memory holds all that is left

  mutable std::mutex mutex_;  // guards all members below, and the marked members of lanes
  std::deque<Lane> lanes_;
  OutboxMarks marks_;
  uint64_t position_ = 0;
  std::deque<std::shared_ptr<const Block>> ring_;  // the newest blocks, each in order, none empty
  size_t ring_bytes_ = 0;
  EffectId ring_begin_;  // the ring holds everything published after it
  std::vector<std::pair<uint64_t, std::function<void()>>> expecting_;
  std::function<void()> listener_;
};

}  // namespace attune
