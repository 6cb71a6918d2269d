#include "shard/world.h"

#include <algorithm>

#include "base/check.h"

namespace attune {

World::World(std::shared_ptr<const Program> program, int loops, const Store* store, LogLookup* log)
    : program_(program), merging_(program, store, log), sizes_(program->segment_count), size_history_(*program->plan) {
  for (int i = 0; i < loops; ++i) readers_.push_back(std::make_unique<RecordReader>(program));
  for (size_t i = 0; i < kShards; ++i) {
    shards_[i] = std::make_unique<Shard>(static_cast<uint8_t>(i), program, readers_[i % readers_.size()].get());
  }
}

std::vector<SizePoint> World::SegmentSizes(ConditionId segment) const {
  const auto& conditions = program_->condition_of_segment;
  const auto place = std::find(conditions.begin(), conditions.end(), segment) - conditions.begin();
  return size_history_.Of(static_cast<size_t>(place));
}

void World::CountTransitions(const Effects& effects) {
  for (const Transition& transition : effects.transitions) {
    sizes_[transition.segment].fetch_add(transition.enter ? 1 : -1, std::memory_order_relaxed);
  }
}

void World::SampleSizes(Millis now, WriteBatch* batch) {
  std::vector<uint64_t> sizes;
  for (const ConditionId condition : program_->condition_of_segment) sizes.push_back(SegmentSize(condition));
  size_history_.Sample(now, sizes, batch);
}

size_t World::user_count() const {
  size_t users = 0;
  for (const auto& shard : shards_) users += shard->engine().user_count();
  return users;
}

void World::CountSizes() {
  for (ConditionId c = 0; c < program_->segment_count; ++c) {
    uint64_t size = 0;
    for (const auto& shard : shards_) size += shard->engine().SegmentSize(c);
    sizes_[c] = size;
  }
}

void World::Apply(const RecordView& record, Effects* effects) {
  if (!IsOfAnyShard(record.type)) {
    if (Shard& shard = *shards_[record.shard]; !shard.Includes(record.sequence)) shard.Apply(record, {}, effects);
    return;
  }
  if (merging_.NeedsAll(record)) {
    Shard* shard = nullptr;
    merging_.Apply(record, shards_, &shard, effects);
    return;
  }
  const std::string person = merging_.PersonOfEvent(record);
  Shard& shard = *shards_[ShardOf(person)];
  if (!shard.Includes(record.sequence)) shard.Apply(record, person, effects);
}

}  // namespace attune
