// The outbox: every effect of the shards under its id, in one order for all loops, kept for a bounded span so that a reader
// resumes exactly where it stopped. Everything that leaves the process reads it: each such part is a *consumer* with a name
// and a durable position, and GET /v1/stream is a reader whose clients hold their positions themselves.
//
// Each loop has a *lane*. The loop adds the effects of the records that it applies, and reports the position that it
// has reached in the log. A lane writes its effects in groups (effects/effect_group.h). Effects that every lane has passed
// are published: they are in memory, which serves the newest, and in the store. An effect is written before the snapshot of
// the shard whose state includes it, so a crash loses none: effects that the store lacks are produced again, under the same
// ids, by the tail of the log.
//
// Under another plan the log builds another state. The published effects of records up to the last snapshot, or in the
// outbox, stay as they are; nothing is added to them.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "effects/effect.h"
#include "effects/effect_group.h"
#include "effects/outbox_consumers.h"
#include "effects/outbox_marks.h"
#include "effects/stored_effects.h"
#include "log/shard_of.h"
#include "state/store.h"

namespace attune {

struct OutboxOptions {
  size_t max_effects = 1'000'000;  // about this many of the newest effects are kept ...
  Millis max_age = 7 * kDay;       // ... and none that was published longer ago, plus or minus an hour or two
  int held = 4;                    // times both limits, for effects that a consumer has yet to acknowledge
  size_t memory_bytes = 4 << 20;   // for the newest effects, which are read without the store
  bool enabled = true;             // false: no effect is kept or published
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
  // The lane has applied all of its records up to this one.
  void Passed(size_t lane, uint64_t position);
  // Passes the pending batch to `write`. Call it before a snapshot is written, and periodically.
  void Flush(size_t lane);

  // --- consumers: any thread, once recovery has ended ---

  // Adds a consumer, unless there is one of this name already; a new one begins with the effects that come next. What it has
  // not acknowledged is kept up to `held` times the limits. Returns once that is in the store: from then on it misses nothing.
  // Errors as Store::Write; then there is no such consumer.
  Status AddConsumer(std::string_view name);
  // Its position is forgotten, and nothing is kept for it any more.
  void RemoveConsumer(std::string_view name);
  // The consumer has done with this effect and all before it, and gets none of them again, except after a crash within about
  // a second.
  void Acknowledge(std::string_view name, EffectId id);
  // Of a consumer that was added: where to begin reading.
  EffectId PositionOf(std::string_view name) const;

  // --- any thread ---

  // Sets marks and evicts effects that are too old or too many; `batch` gets the matching changes of the store, and the
  // positions of consumers.
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

  // A listener, until it is destroyed; after that it is no longer called.
  class Listening;
  // `listener` is called on a loop's thread after each publication, under a lock: it must not call the outbox.
  std::unique_ptr<Listening> Listen(std::function<void()> listener);

  struct Page : EffectPage {
    // Effects after the cursor up to this one have been evicted: the page is empty, and `next` is this id. Equal to
    // EffectId{}: none have.
    EffectId gone_up_to;
    bool gone() const { return gone_up_to != EffectId{}; }
  };
  // The effects after the cursor, about `bytes` of their groups. On the disk when they are not in memory.
  Result<Page> Read(EffectId cursor, size_t bytes) const;
  // From the newest backwards, until `visit` returns false. Blocks as Read does.
  Status ForEachBackwards(const std::function<bool(const PublishedEffect&)>& visit) const;

 private:
  using Group = std::shared_ptr<const EffectGroup>;
  struct Lane {
    // Used by the loop alone.
    EffectGroupWriter open;
    // Of shards whose last record has more effects to come: the groups so far.
    std::vector<std::pair<uint8_t, std::vector<Group>>> parts;
    std::vector<Group> fresh;  // not yet passed to the other lanes
    WriteBatch batch;
    size_t batch_bytes = 0;
    std::array<uint64_t, kShards> published{};  // the last record in the batch, by shard
    uint64_t position = 0;
    // Guarded by the mutex.
    std::deque<Group> waiting;  // until the other lanes reach them
    uint64_t applied = 0;
    uint64_t stored = 0;  // everything up to this record is in the store
    int writes = 0;       // in progress
  };
  // Published effects in memory: those of the records in (from, to] in these groups.
  struct Block {
    EffectId from, to;
    EffectId last;  // its last effect
    std::vector<Group> groups;
    size_t bytes = 0;
  };

  bool IsPublished(uint8_t shard, uint64_t sequence) const { return sequence <= published_[shard] || sequence <= skip_; }
  static void AddTo(EffectGroupWriter* open, std::vector<Group>* groups, const PublishedEffect& effect);
  void CloseGroup(Lane* lane);
  void Keep(Lane* lane, Group group);
  Status WriteRecovered(Lane* lane);
  void PutPublished(Lane* lane);
  void OnWritten(size_t lane, uint64_t position, size_t bytes, bool written);
  bool Release(std::vector<std::function<void()>>* due);
  void ReleaseBlock(uint64_t to);
  void Evict();
  uint64_t Stored() const;

  Store& store_;
  const OutboxOptions options_;
  Write write_;                                // empty: recovering
  std::array<uint64_t, kShards> published_{};  // an earlier process published the effects of records up to these
  uint64_t skip_ = 0;                          // recovery publishes no effects of records up to this one
  std::atomic<size_t> unwritten_bytes_{0};
  std::atomic<bool> failed_{false};  // a write to the store failed: memory holds all that is left

  mutable std::mutex mutex_;  // guards all members below, and the marked members of lanes
  std::deque<Lane> lanes_;
  OutboxMarks marks_;
  OutboxConsumers consumers_;
  uint64_t position_ = 0;
  std::deque<Block> ring_;  // the newest blocks, each with an effect
  size_t ring_bytes_ = 0;
  EffectId ring_begin_;  // the ring holds everything published after it
  std::vector<std::pair<uint64_t, std::function<void()>>> expecting_;
  std::list<std::function<void()>> listeners_;
};

class Outbox::Listening {
 public:
  ~Listening();
  Listening(const Listening&) = delete;

 private:
  friend class Outbox;
  Listening(Outbox* outbox, std::list<std::function<void()>>::iterator listener) : outbox_(*outbox), listener_(listener) {}

  Outbox& outbox_;
  std::list<std::function<void()>>::iterator listener_;
};

}  // namespace attune
