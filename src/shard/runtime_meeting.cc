// What a runtime does while all of its loops stand still at one record.
#include <algorithm>

#include "base/bytes.h"
#include "shard/runtime.h"

namespace attune {
namespace {

// Who holds a segment under the one plan and not under the other, of that name.
struct Pair {
  std::optional<ConditionId> old_id, new_id;
};

std::vector<Pair> PairSegments(const Program& old_program, const Program& new_program) {
  std::vector<Pair> pairs;
  for (ConditionId c = 0; c < old_program.segment_count; ++c) {
    pairs.push_back({c, new_program.FindSegment(old_program.conditions[c].name)});
  }
  for (ConditionId c = 0; c < new_program.segment_count; ++c) {
    if (!old_program.FindSegment(new_program.conditions[c].name)) pairs.push_back({std::nullopt, c});
  }
  return pairs;
}

struct Differences {
  Effects leaves, enters;

  // One of the two may not be there.
  void Compare(const UserState* before, const UserState* after, const std::vector<Pair>& pairs, Millis at) {
    if (before) at = std::max(at, before->now);
    if (after) at = std::max(at, after->now);
    for (const Pair& pair : pairs) {
      const bool held = before && pair.old_id && before->Holds(*pair.old_id);
      const bool holds = after && pair.new_id && after->Holds(*pair.new_id);
      if (held && !holds) leaves.transitions.push_back({at, before, *pair.old_id, false, false});
      if (holds && !held) enters.transitions.push_back({at, after, *pair.new_id, true, false});
    }
  }
};

Differences Compare(Engine* before, Engine* after, const std::vector<Pair>& pairs, Millis at) {
  Differences differences;
  for (const UserState& user : before->users()) {
    if (!user.ended) differences.Compare(&user, after->Find(user.id()), pairs, at);
  }
  for (const UserState& user : after->users()) {
    if (!user.ended && !before->Find(user.id())) differences.Compare(nullptr, &user, pairs, at);
  }
  return differences;
}

}  // namespace

void Runtime::HoldMeeting(const LoggedRecord& record) {
  if (record.type == static_cast<uint8_t>(RecordType::kPlan)) return EnterPlanState(record);
  const size_t users = plan_state_->user_count();
  Merging::Met met = plan_state_->merging().Apply(record, plan_state_->shards());
  stats_.users.fetch_add(plan_state_->user_count() - users, std::memory_order_relaxed);
  if (met.leaving) LoopOf(met.leaving->from->number()).LeaveToDo(*std::move(met.leaving));
  for (const auto& rebuild : met.rebuilds) parting_ += rebuild->parts();
  for (auto& rebuild : met.rebuilds) LoopOf(rebuild->shard().number()).LeaveToDo(std::move(rebuild));
  if (met.shard) LoopOf(met.shard->number()).ApplyTo(met.shard, record, met.person);
}

// Nobody stays in a segment by an old definition: who is in it by one plan alone enters or leaves now. No trigger fires,
// for nothing happened.
void Runtime::EnterPlanState(const LoggedRecord& record) {
  std::shared_ptr<PlanState> next = changes_->Take();
  if (!next) return changes_->Retire(nullptr);
  ByteReader in(record.payload);
  in.U64();
  const Millis at = in.I64();
  const std::vector<Pair> pairs = PairSegments(plan_state_->program(), next->program());
  uint32_t published = 0;
  const auto publish = [&](const Effects& effects, const Program& program) {
    outbox_->Add(0, 0, record.sequence, effects, program, published, false);
    published += static_cast<uint32_t>(effects.transitions.size());
  };
  for (size_t i = 0; i < kShards; ++i) {
    const Differences differences = Compare(&plan_state_->shard(i).engine(), &next->shard(i).engine(), pairs, at);
    publish(differences.leaves, plan_state_->program());
    publish(differences.enters, next->program());
  }
  stats_.transitions.fetch_add(published, std::memory_order_relaxed);
  outbox_->Add(0, 0, record.sequence, {}, next->program(), published);
  outbox_->Flush(0);
  stats_.users = next->user_count();
  std::shared_ptr<PlanState> old = next;
  {
    const std::lock_guard hold(plan_state_mutex_);
    old.swap(plan_state_);
  }
  for (const auto& loop : loops_) loop->Enter(plan_state_.get());
  changes_->Retire(std::move(old));
}

}  // namespace attune
