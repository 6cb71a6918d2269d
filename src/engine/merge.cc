// Merges and parts histories.
#include <algorithm>
#include <memory>

#include "engine/engine.h"
#include "engine/state/keys.h"

namespace attune {

// --- drafts ---

Engine::Draft Engine::BeginDraft(std::string_view user, bool ids) {
  Draft draft(std::make_unique<UserState>(user, 0, *program_));
  draft.ids_ = ids;
  draft.changed_from_ = kAlways;
  return draft;
}

Result<Engine::Draft> Engine::AdoptDraft(std::string_view user, std::string_view bytes) {
  Draft draft(std::make_unique<UserState>(user, 0, *program_));
  UserState& state = *draft.user_;
  ByteReader in(bytes);
  if (!ReadUser(&in, &interner_, &state)) return Error{ErrorCode::kCorrupt, "the state of a user does not match its plan"};
  // The state that it held was another user's.
  for (ConditionId c = 0; c < program_->conditions.size(); ++c) {
    if (state.Holds(c)) state.Leave(c);
  }
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (state.keys(i)) state.keys(i)->ClearHolding();
  }
  state.ForgetIds();
  draft.in_order_ = false;
  draft.changed_from_ = state.now;  // changes since that time are not known yet
  return draft;
}

bool Engine::AddTo(Draft* draft, const PastRecord& past, RecordReader* reader) {
  UserState* user = draft->user_.get();
  auto record = reader->Read(past.bytes);
  ATTUNE_CHECK(record.ok(), "a record that was read before can be read again");
  record->sequence = past.sequence;
  if (!draft->in_order_ && !CanAdd(*user, *record, false)) return false;
  draft->changed_from_ = std::min(draft->changed_from_, record->time);
  user->now = std::max(user->now, record->time);
  user->known |= record->names_user;
  if (draft->ids_) user->Remember(record->id, record->time, program_->series_limit);
  Add(user, *record);
  dirty_.Clear();  // all conditions are judged at the end
  return true;
}

void Engine::Discard(Draft draft) { draft.user_->ReleaseTexts(&interner_); }

bool Engine::CanAdd(const UserState& user, const Record& record, bool came_last) {
  if (came_last) return true;
  for (const Fact& fact : record.facts) {
    const Fact* known = user.FindFact(fact.kind, fact.name);
    if (known && known->time == fact.time && known->json != fact.json) return false;
  }
  if (record.kind != EventKind::kTrack || user.recent().empty() || record.sequence > user.recent().back()) return true;
  matched_.clear();
  for (const uint32_t selector : program_->selectors_of_name[record.name]) {
    if (evaluator_.Matches(program_->selectors[selector].filter, record.name, record.fields)) matched_.push_back(selector);
  }
  for (size_t i = 0; i < user.sessions.size(); ++i) {
    if (user.sessions[i].first == record.time) return false;  // either may be the session's first event
  }
  if (HasEqual(user, *program_, matched_, record.time)) return false;
  if (user.memberships()) {
    const auto& events = user.memberships()->events();
    const auto at = std::partition_point(events.begin(), events.end(), [&](const PastEvent& e) { return e.time < record.time; });
    if (at != events.end() && at->time == record.time) return false;
  }
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (!user.keys(i)) continue;
    const KeySpec& spec = program_->keys[i];
    bool equal = false;
    user.keys(i)->ForEach([&](const Key& key) { equal |= key.last == record.time || HasEqual(key.state, *spec.within, matched_, record.time); });
    if (equal) return false;
  }
  return true;
}

bool Engine::HasEqual(const UserState& state, const Program& program, std::span<const uint32_t> matched, Millis time) {
  if (state.sequences() && state.sequences()->HasEventAt(program.sequences, time)) return true;
  for (const uint32_t selector : matched) {
    for (const uint32_t index : program.series_of_selector[selector]) {
      if (program.series[index].field == kNone) continue;  // without values, equal instants are interchangeable
      const Series held = state.FindSeries(index);
      uint32_t low = 0, high = static_cast<uint32_t>(held.size());
      while (low < high) {
        const uint32_t middle = (low + high) / 2;
        held.time(middle) < time ? low = middle + 1 : high = middle;
      }
      if (low < held.size() && held.time(low) == time) return true;
    }
    for (const uint32_t index : program.totals_of_selector[selector]) {
      const TotalSpec& spec = program.totals[index];
      if (spec.kind != TotalSpec::Kind::kFirst && spec.kind != TotalSpec::Kind::kLast) continue;
      const uint64_t* words = state.FindTotal(spec.slot);
      if (words && static_cast<Millis>(words[spec.Words() - 1]) == time) return true;
    }
  }
  return false;
}

void Engine::Add(UserState* user, const Record& record) {
  user->first_seen = std::min(user->first_seen, record.time);
  TakeIn(user, record);
  if (!program_->tracked.empty()) KeepPast(user, record);
}

// --- merging ---

UserState* Engine::AdmitMerge(const Record& merging, const UserState& other) {
  UserState* into = FindOrAdd(merging.user);
  Touch(into);
  into->RememberAll(other, program_->series_limit);
  into->known |= merging.names_user;
  into->Remember(merging.id, merging.time, program_->series_limit);
  return into;
}

// Neither user can change before the instant of an effect that was already returned for it.
Millis Engine::BeginMerge(const Record& merging, UserState* into, Engine* others, UserState* from, Effects* effects) {
  const Millis at = std::max({merging.time, into->now, from->now});
  Touch(into);
  FireTimers(into, at, effects);
  others->FireTimers(from, at, effects);
  for (const Firing& firing : from->firings()) into->MakeFirings().push_back(firing);
  others->End(from, at, effects);
  return at;
}

bool Engine::Absorb(const Record& merging, std::span<const PastRecord> records, Engine* others, UserState* from, RecordReader* reader,
                    Effects* effects) {
  UserState* into = FindOrAdd(merging.user);
  const auto read = [&](const PastRecord& past) {
    auto record = reader->Read(past.bytes);
    ATTUNE_CHECK(record.ok(), "a record that was read before can be read again");
    record->sequence = past.sequence;
    return *record;
  };
  for (const PastRecord& past : records) {
    if (!CanAdd(*into, read(past), past.sequence == merging.sequence)) return false;
  }
  const Millis at = BeginMerge(merging, into, others, from, effects);
  into->now = at;
  into->looked = at;
  Millis first = at;
  for (const PastRecord& past : records) {
    const Record record = read(past);
    first = std::min(first, record.time);
    Add(into, record);
  }
  if (!program_->tracked.empty()) Retell(into, std::max(first, into->first_seen));
  MarkAll(into);
  Judge(into, at, false, effects);
  Arm(into);
  return true;
}

void Engine::Merge(const Record& merging, Engine* others, UserState* from, Draft draft, Effects* effects) {
  UserState* into = FindOrAdd(merging.user);
  Replace(into, std::move(draft), BeginMerge(merging, into, others, from, effects), effects);
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
  Disarm(user);
  user->End();
  if (timers_.IsMostlyStale()) DropStaleTimers();
}

UserState* Engine::Rebuild(std::string_view id, Millis at, Draft draft, Effects* effects) {
  UserState* user = FindOrAdd(id);
  FireTimers(user, at, effects);
  at = std::max({at, user->now, draft.user_->now});
  quiet_ = true;
  Replace(user, std::move(draft), at, effects);
  quiet_ = false;
  return user;
}

void Engine::Replace(UserState* user, Draft draft, Millis at, Effects* effects) {
  Touch(user);
  UserState& next = *draft.user_;
  next.armed = user->armed;
  next.looked = at;
  next.dirty = user->dirty;
  next.in_snapshot = user->in_snapshot;
  for (ConditionId c = 0; c < program_->conditions.size(); ++c) {
    if (user->Holds(c)) next.Enter(c, user->Since(c));
  }
  if (!user->firings().empty() || !next.firings().empty()) next.MakeFirings().assign(user->firings().begin(), user->firings().end());
  if (!draft.ids_) {
    next.RememberAll(*user, program_->series_limit);
    next.known |= user->known;
  }
  user->Swap(&next);  // `next` now has the previous state
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (next.keys(i) && user->keys(i)) user->keys(i)->CopyHolding(*next.keys(i));
  }
  next.ReleaseTexts(&interner_);
  user->now = at;
  if (!program_->tracked.empty()) Retell(user, std::max(draft.changed_from_, user->first_seen));
  MarkAll(user);
  Judge(user, at, false, effects);
  Arm(user);
}

}  // namespace attune
