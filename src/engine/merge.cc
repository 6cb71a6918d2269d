// Two users become one.
#include <algorithm>
#include <memory>

#include "engine/engine.h"
#include "engine/keys.h"

namespace attune {

// Her state is built anew from both histories: what it would be had all events been hers from the beginning.
Applied Engine::Merge(UserState* from, const Record& merging, std::span<const std::string* const> history, RecordReader* reader,
                      Effects* effects) {
  UserState* into = Find(merging.user);
  if (!into) into = Add(merging.user);
  // Neither can be changed before what has been said of her already.
  const Millis at = std::max({merging.time, into->now, from->now});
  const bool known = into->known || merging.names_user;
  FireTimers(into, at, effects);
  FireTimers(from, at, effects);
  Touch(into);
  Touch(from);
  for (ConditionId c = 0; c < program_->segment_count; ++c) {
    if (!from->Holds(c)) continue;
    --sizes_[c];
    effects->transitions.push_back({at, from, c, false, false});
  }
  by_id_.erase(by_id_.find(Id{TextHash()(from->id()), from->id()}));

  UserState both(into->id(), into->slot, *program_);
  both.armed = into->armed;
  both.looked = at;
  both.known = known;
  both.dirty = into->dirty;
  both.in_snapshot = into->in_snapshot;
  for (ConditionId c = 0; c < program_->conditions.size(); ++c) {
    if (into->Holds(c)) both.Enter(c, into->Since(c));
  }
  for (UserState* part : {into, from}) {
    for (const Firing& firing : part->firings()) both.MakeFirings().push_back(firing);
  }
  from->ReleaseTexts(&interner_);
  from->End();
  into->Swap(&both);
  for (const std::string* bytes : history) {
    auto record = reader->Read(*bytes);
    ATTUNE_CHECK(record.ok(), "what was read once can be read again");
    into->now = std::max(into->now, record->time);
    into->first_seen = std::min(into->first_seen, record->time);
    into->Remember(record->id, record->time, program_->series_limit);
    TakeIn(into, *record);
    if (!program_->tracked.empty()) RememberPast(into, *record);
  }
  UserState& before = both;
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (before.keys(i) && into->keys(i)) into->keys(i)->TakeHolding(*before.keys(i));
  }
  before.ReleaseTexts(&interner_);
  into->now = at;
  if (!program_->tracked.empty()) Retell(into, into->first_seen);
  dirty_.Fill(program_->conditions.size());
  Judge(into, at, false, effects);
  Arm(into);
  return Applied::kNew;
}

}  // namespace attune
