#include "shard/plan_state.h"

#include <algorithm>

#include "base/check.h"

namespace attune {

PlanState::PlanState(std::shared_ptr<const Program> program, int loops, const Store* store, ReadableLog* log)
    : program_(program), store_(*store), log_(*log), merging_(program, store), sizes_(program->segment_count), size_history_(*program->plan) {
  for (int i = 0; i < loops; ++i) readers_.push_back(std::make_unique<RecordReader>(program));
  for (size_t i = 0; i < kShards; ++i) {
    shards_[i] = std::make_unique<Shard>(static_cast<uint8_t>(i), program, readers_[i % readers_.size()].get());
  }
}

std::vector<SizePoint> PlanState::SegmentSizes(ConditionId segment) const {
  const auto& conditions = program_->condition_of_segment;
  const auto place = std::find(conditions.begin(), conditions.end(), segment) - conditions.begin();
  return size_history_.Of(static_cast<size_t>(place));
}

void PlanState::CountTransitions(const Effects& effects) {
  for (const Transition& transition : effects.transitions) {
    sizes_[transition.segment].fetch_add(transition.enter ? 1 : -1, std::memory_order_relaxed);
  }
}

void PlanState::SampleSizes(Millis now, WriteBatch* batch) {
  std::vector<uint64_t> sizes;
  for (const ConditionId condition : program_->condition_of_segment) sizes.push_back(SegmentSize(condition));
  size_history_.Sample(now, sizes, batch);
}

size_t PlanState::user_count() const {
  size_t users = 0;
  for (const auto& shard : shards_) users += shard->engine().user_count();
  return users;
}

void PlanState::CountSizes() {
  for (ConditionId c = 0; c < program_->segment_count; ++c) {
    uint64_t size = 0;
    for (const auto& shard : shards_) size += shard->engine().SegmentSize(c);
    sizes_[c] = size;
  }
}

Status PlanState::Apply(const RecordView& view, const Sink& sink) {
  const LoggedRecord record(view);
  const auto give = [&](uint32_t first) {
    if (sink && (!effects_.transitions.empty() || !effects_.firings.empty())) sink(&effects_, first);
    effects_.transitions.clear();
    effects_.firings.clear();
  };
  Shard* shard = nullptr;
  std::string person;
  if (!merging_.MayBeOfAnyShard(record)) {
    shard = shards_[record.shard].get();
  } else if (merging_.NeedsAll(record)) {
    Merging::Met met = merging_.Apply(record, shards_);
    if (met.leaving) Merging::Leave(*met.leaving);
    for (const auto& rebuild : met.rebuilds) {
      do {
        if (Status loaded = rebuild->Load(store_, shards_, &log_); !loaded.ok()) return loaded;
        rebuild->Step(SIZE_MAX);
      } while (!rebuild->Finish(&effects_));
      give(rebuild->first_effect());
    }
    shard = met.shard;
    person = std::move(met.person);
  } else if (HoldsEvent(record.type)) {
    person = merging_.PersonOfEvent(record);
    shard = shards_[ShardOf(person)].get();
  }
  if (!shard || shard->Includes(record.sequence)) return {};
  shard->Apply(record, person, &effects_);
  give(0);
  return {};
}

Result<std::vector<uint64_t>> PlanState::HistoryOf(const IndexedUser& user, const std::function<uint64_t(uint8_t shard)>& up_to) const {
  return HistoryIndex::Collect(store_, [this](uint8_t shard) { return shard < kShards ? &shards_[shard]->history() : nullptr; }, user, nullptr,
                               up_to);
}

}  // namespace attune
