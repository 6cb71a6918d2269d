// Past memberships: keeps changes, and corrects them after a late event.
#include <algorithm>
#include <utility>

#include "engine/engine.h"
#include "engine/state/keys.h"

namespace attune {

// Keeps what the tracked segments read of a record that was just applied.
void Engine::RememberPast(UserState* user, const Record& record) {
  const bool kept = KeepPast(user, record);
  // Memberships begin at a user's first record, so a record before it always needs a correction.
  if (record.time < user->now && (kept || record.time == user->first_seen)) Retell(user, record.time);
}

bool Engine::KeepPast(UserState* user, const Record& record) {
  const Program::Past& past = program_->past;
  bool kept = false;
  for (const Fact& fact : record.facts) {
    if (!past.facts[static_cast<size_t>(fact.kind)]) continue;
    user->MakeMemberships().Add(fact);
    kept = true;
  }
  if (record.kind == EventKind::kTrack && AffectsTracked()) {
    Memberships& memberships = user->MakeMemberships();
    PastEvent event{record.time, record.name, std::make_unique<uint64_t[]>(memberships.WordsOf(record.name))};
    const auto& selectors = program_->selectors_of_name[record.name];
    for (size_t i = 0, m = 0; i < selectors.size() && m < matched_.size(); ++i) {
      if (selectors[i] != matched_[m]) continue;
      event.words[i / 64] |= uint64_t{1} << i % 64;
      ++m;
    }
    uint64_t* value = event.words.get() + memberships.MaskWords(record.name);
    for (const uint32_t field : program_->fields_of_name[record.name]) *value++ = Stored::Acquire(record.fields[field], &interner_).bits();
    memberships.Add(std::move(event), user->now, &interner_);
    kept = true;
  }
  return kept;
}

bool Engine::AffectsTracked() const {
  const Program::Past& past = program_->past;
  return past.all_events || std::any_of(matched_.begin(), matched_.end(), [&](uint32_t selector) { return past.selectors[selector]; });
}

// Recomputes the changes of tracked segments from an instant to the user's clock, now that a record of that instant is
// known: applies what is kept to a copy of the user. Changes before that instant are still right and are not judged.
// Changes that no window can show any more are not computed.
void Engine::Retell(UserState* user, Millis from) {
  Memberships& told = user->MakeMemberships();
  told.ForgetChanges(from);
  if (program_->past.changes_span < user->now - from) from = user->now - program_->past.changes_span - 1;
  const uint64_t looks = ClockLooks();
  uint64_t readers = 0;
  for (const ConditionId c : program_->past.conditions) readers += program_->clock_readers.Has(c);
  UserState other(user->id(), user->slot, *program_);
  Memberships& telling = other.MakeMemberships();
  telling.TakeChangesOf(&told);
  const std::vector<PastEvent>& events = told.events();
  const std::vector<Fact>& facts = told.facts();
  size_t event = 0, fact = 0;
  for (Millis t = from; t <= user->now;) {
    for (; fact < facts.size() && facts[fact].time <= t; ++fact) {
      other.TakeIn(facts[fact]);
      InvalidateDependentKeys(&other, facts[fact].kind);
    }
    for (; event < events.size() && events[event].time <= t; ++event) ApplyPast(&other, events[event]);
    other.now = t;
    judged_ += program_->past.conditions.size();
    for (const ConditionId c : program_->past.conditions) {
      const Outcome outcome = evaluator_.Judge(program_->conditions[c].root, other, t);
      other.SetDue(c, outcome.until);
      if (outcome.holds != other.Holds(c)) InvalidateDependentKeys(&other, c);
      if (outcome.holds && !other.Holds(c)) other.Enter(c, t);
      if (!outcome.holds && other.Holds(c)) other.Leave(c);
      NoteMembership(&other, c, t, outcome.holds);
    }
    evaluator_.Forget();
    Millis next = other.ForEachDue(kAlways, [](ConditionId) {});
    clock_judgements_ += readers;
    const uint64_t looked = ClockLooks() - looks;
    if (looked >= kPatientAfter) evaluator_.set_patient(true);
    if (looked >= MaxClockJudgements() && t < user->now) {
      next = user->now;
      telling.set_truncated();
    }
    if (fact < facts.size()) next = std::min(next, facts[fact].time);
    if (event < events.size()) next = std::min(next, events[event].time);
    t = next;
  }
  evaluator_.set_patient(false);
  told.TakeChangesOf(&telling);
  other.ReleaseTexts(&interner_);
}

void Engine::ApplyPast(UserState* user, const PastEvent& event) {
  past_fields_.resize(program_->fields.size());
  const auto& selectors = program_->selectors_of_name[event.name];
  const uint64_t* values = event.words.get() + (selectors.size() + 63) / 64;
  for (const uint32_t field : program_->fields_of_name[event.name]) past_fields_[field] = Stored::FromBits(*values++).Load(interner_);
  Record record;
  record.name = event.name;
  record.time = event.time;
  record.fields = past_fields_;
  user->now = event.time;
  bool began = false;
  if (program_->past.all_events) began = user->sessions.Insert(event.time, 0, program_->sessions);
  past_matched_.clear();
  for (size_t i = 0; i < selectors.size(); ++i) {
    if (!(event.words[i / 64] >> i % 64 & 1)) continue;
    past_matched_.push_back(selectors[i]);
    if (program_->past.selectors[selectors[i]]) AddToSelector(user, selectors[i], record);
  }
  if (program_->past.sequences) user->MakeSequences().TakeIn(program_->sequences, event.time, past_matched_, past_fields_, &interner_);
  for (const uint32_t keys : program_->past.keys) TakeInKey(user, keys, record, past_matched_, began);
}

}  // namespace attune
