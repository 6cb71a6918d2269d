// Histories join, and part again.
#include <algorithm>
#include <memory>

#include "engine/engine.h"
#include "engine/keys.h"

namespace attune {

Applied Engine::Merge(const Record& merging, Engine* others, UserState* from, std::span<const PastRecord> history,
                      RecordReader* reader, Effects* effects) {
  UserState* into = Find(merging.user);
  if (!into) into = Add(merging.user);
  // Neither can be changed before what has been said of her already.
  const Millis at = std::max({merging.time, into->now, from->now});
  FireTimers(into, at, effects);
  others->FireTimers(from, at, effects);
  into->known |= merging.names_user;
  for (const Firing& firing : from->firings()) into->MakeFirings().push_back(firing);
  others->End(from, at, effects);
  Rebuild(into, at, history, reader, effects);
  return Applied::kNew;
}

void Engine::End(UserState* user, Millis at, Effects* effects) {
  Touch(user);
  for (ConditionId c = 0; c < program_->segment_count; ++c) {
    if (!user->Holds(c)) continue;
    --sizes_[c];
    if (effects) effects->transitions.push_back({at, user, c, false, false});
  }
  by_id_.erase(by_id_.find(Id{TextHash()(user->id()), user->id()}));
  user->ReleaseTexts(&interner_);
  user->End();
}

UserState* Engine::Rebuild(std::string_view id, Millis at, std::span<const PastRecord> history, RecordReader* reader,
                           Effects* effects) {
  UserState* user = Find(id);
  if (!user) user = Add(id);
  FireTimers(user, at, effects);
  Rebuild(user, std::max(at, user->now), history, reader, effects);
  return user;
}

void Engine::Rebuild(UserState* user, Millis at, std::span<const PastRecord> history, RecordReader* reader, Effects* effects) {
  Touch(user);
  UserState before(user->id(), user->slot, *program_);
  before.armed = user->armed;
  before.looked = at;
  before.known = user->known;
  before.dirty = user->dirty;
  before.in_snapshot = user->in_snapshot;
  for (ConditionId c = 0; c < program_->conditions.size(); ++c) {
    if (user->Holds(c)) before.Enter(c, user->Since(c));
  }
  if (!user->firings().empty()) before.MakeFirings().assign(user->firings().begin(), user->firings().end());
  user->Swap(&before);
  for (const PastRecord& past : history) {
    auto record = reader->Read(past.bytes);
    ATTUNE_CHECK(record.ok(), "what was read once can be read again");
    record->sequence = past.sequence;
    user->now = std::max(user->now, record->time);
    user->first_seen = std::min(user->first_seen, record->time);
    user->known |= record->names_user;
    user->Remember(record->id, record->time, program_->series_limit);
    TakeIn(user, *record);
    if (!program_->tracked.empty()) RememberPast(user, *record);
  }
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (before.keys(i) && user->keys(i)) user->keys(i)->TakeHolding(*before.keys(i));
  }
  before.ReleaseTexts(&interner_);
  user->now = at;
  if (!program_->tracked.empty()) Retell(user, user->first_seen);
  dirty_.Fill(program_->conditions.size());
  Judge(user, at, false, effects);
  Arm(user);
}

}  // namespace attune
