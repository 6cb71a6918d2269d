// All state under one plan: the users of every shard, who is who, and how large segments are.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "engine/record.h"
#include "log/lookup.h"
#include "shard/merging.h"
#include "shard/shard.h"
#include "shard/shard_of.h"
#include "shard/size_history.h"
#include "state/store.h"

namespace attune {

class World {
 public:
  // Empty. `store` and `log` must outlive it. Its shards are for `loops` threads: each reads the records of those whose
  // number modulo the loops is its own.
  World(std::shared_ptr<const Program> program, int loops, const Store* store, LogLookup* log);

  // --- any thread ---

  const Program& program() const { return *program_; }
  const Plan& plan() const { return *program_->plan; }
  // How many users hold a segment.
  uint64_t SegmentSize(ConditionId segment) const { return sizes_[segment].load(std::memory_order_relaxed); }
  // Its sizes as time went by.
  std::vector<SizePoint> SegmentSizes(ConditionId segment) const;
  SizeHistory& size_history() { return size_history_; }
  void CountTransitions(const Effects& effects);
  // Notes the sizes as they are now.
  void SampleSizes(Millis now, WriteBatch* batch);

  // --- a shard: on the thread of its loop; all of them: while every loop stands still ---

  Merging& merging() { return merging_; }
  Merging::Shards& shards() { return shards_; }
  Shard& shard(size_t number) { return *shards_[number]; }
  size_t user_count() const;
  // From the shards' states.
  void CountSizes();
  // Applies a record of any shard.
  void Apply(const RecordView& record, Effects* effects);

 private:
  const std::shared_ptr<const Program> program_;
  std::vector<std::unique_ptr<RecordReader>> readers_;  // one for each loop
  Merging::Shards shards_;
  Merging merging_;
  std::vector<std::atomic<uint64_t>> sizes_;
  SizeHistory size_history_;
};

}  // namespace attune
