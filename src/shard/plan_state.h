// All state under one plan: the users of every shard, identities, and segment sizes.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "engine/record.h"
#include "log/log.h"
#include "log/shard_of.h"
#include "shard/merging.h"
#include "shard/shard.h"
#include "shard/size_history.h"
#include "state/store.h"

namespace attune {

class PlanState {
 public:
  // Creates empty state. `store` and `log` must outlive it. Serves `loops` threads: loop i applies the records of the
  // shards whose number modulo `loops` is i.
  PlanState(std::shared_ptr<const Program> program, int loops, const Store* store, ReadableLog* log);

  // --- any thread ---

  const Program& program() const { return *program_; }
  const Plan& plan() const { return *program_->plan; }
  // The number of users in a segment.
  uint64_t SegmentSize(ConditionId segment) const { return sizes_[segment].load(std::memory_order_relaxed); }
  // Its size over time.
  std::vector<SizePoint> SegmentSizes(ConditionId segment) const;
  SizeHistory& size_history() { return size_history_; }
  void CountTransitions(const Effects& effects);
  // Samples the present sizes.
  void SampleSizes(Millis now, WriteBatch* batch);

  // --- a shard: on the thread of its loop; all shards: while every loop waits ---

  Merging& merging() { return merging_; }
  Shards& shards() { return shards_; }
  Shard& shard(size_t number) { return *shards_[number]; }
  size_t user_count() const;
  // Computes the sizes from the shards' states.
  void CountSizes();
  // Called with the effects of a record, if any. The ids of the effects begin with `first`; see PublishEffects. Clears
  // them.
  using Sink = std::function<void(Effects* effects, uint32_t first)>;
  // Applies a record of any shard. Reads back from the log what it needs. Without a sink the effects are dropped. kIo,
  // kCorrupt: a record could not be read.
  Status Apply(const RecordView& record, const Sink& sink);
  // The records of a user's history; see HistoryIndex::Collect. Any thread; blocks on the disk.
  Result<std::vector<uint64_t>> HistoryOf(const IndexedUser& user, const std::function<uint64_t(uint8_t shard)>& up_to = nullptr) const;

 private:
  const std::shared_ptr<const Program> program_;
  const Store& store_;
  ReadableLog& log_;
  std::vector<std::unique_ptr<RecordReader>> readers_;  // one for each loop
  Shards shards_;
  Merging merging_;
  std::vector<std::atomic<uint64_t>> sizes_;
  SizeHistory size_history_;
  Effects effects_;  // of Apply
};

}  // namespace attune
