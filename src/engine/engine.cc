#include "engine/engine.h"

#include <algorithm>

#include "engine/state/keys.h"
#include "engine/state/user_format.h"

namespace attune {

Engine::Engine(std::shared_ptr<const Program> program)
    : program_(std::move(program)),
      evaluator_(*program_, interner_),
      sizes_(program_->segment_count),
      not_false_(program_->conditions.size()),
      dirty_(program_->conditions.size()) {
  // Earlier than any event, so conditions that are false here and never due can only become true at an event.
  constexpr Millis kBegin = -100'000'000'000'000;
  const UserState nobody("", 0, *program_);
  for (ConditionId c = 0; c < program_->conditions.size(); ++c) {
    const Condition& condition = program_->conditions[c];
    if (condition.root == kNone || condition.on_selector != kNone) continue;
    const Outcome outcome = condition.keys == kNone ? evaluator_.Judge(condition.root, nobody, kBegin) : Outcome{};
    if (outcome.holds || outcome.until != kNever || program_->DependsOnUser(condition.root)) not_false_.Add(c);
  }
}

Engine::~Engine() = default;

// --- users ---

UserState* Engine::Find(std::string_view user) const {
  const auto found = by_id_.find(Id{TextHash()(user), user});
  return found == by_id_.end() ? nullptr : found->user;
}

void Engine::Expect(std::string_view id) {
  const size_t hash = TextHash()(id);
  by_id_.prefetch(hash);
  const auto find = [&](size_t calls_ago) -> const UserState* {
    const auto found = by_id_.find(expected_[(next_expected_ - calls_ago) % std::size(expected_)]);
    return found == by_id_.end() ? nullptr : found->user;
  };
  if (const UserState* user = find(kAhead)) user->Prefetch();
  if (const UserState* user = find(2 * kAhead)) user->PrefetchBlock();
  expected_[next_expected_++ % std::size(expected_)] = hash;
}

UserState* Engine::Add(std::string_view id) {
  UserState* added = &users_.emplace_back(id, static_cast<uint32_t>(users_.size()), *program_);
  by_id_.insert({TextHash()(id), added});
  return added;
}

void Engine::Touch(UserState* user) {
  if (user->in_snapshot) before_change_(user);
  if (user->dirty) return;
  user->dirty = true;
  dirty_users_.push_back(user);
}

std::vector<UserState*> Engine::TakeDirty() {
  for (UserState* user : dirty_users_) user->dirty = false;
  return std::exchange(dirty_users_, {});
}

Status Engine::Restore(std::string_view id, std::string_view bytes) {
  if (IsOfNewerProgram(bytes)) {
    return Error{ErrorCode::kInvalid, "the stored state of a user has a newer format than this program reads: use the newer program that wrote it"};
  }
  ByteReader in(bytes);
  UserState* user = Add(id);
  if (!ReadUser(&in, &interner_, user)) {
    return Error{ErrorCode::kCorrupt, "the stored state of a user does not match its plan"};
  }
  for (ConditionId c = 0; c < program_->segment_count; ++c) sizes_[c] += user->Holds(c);
  Arm(user);
  return {};
}

// --- timers ---

// A user has one live entry in the queue, at `armed`, which is no later than the earliest due instant. An entry that
// comes too early is queued again when it is reached, so a timer that moves to a later instant costs nothing until
// then. A timer that moves to an earlier instant leaves a stale entry behind.
void Engine::Arm(UserState* user) {
  if (user->next_due >= user->armed) return;
  Disarm(user);
  user->armed = user->next_due;
  timers_.Push({user->next_due, user->slot});
  if (timers_.IsMostlyStale()) DropStaleTimers();
}

void Engine::Disarm(UserState* user) {
  if (user->armed == kNever) return;
  user->armed = kNever;
  timers_.NoteStale();
}

// Of several entries of a user at one instant, all but one are stale.
void Engine::DropStaleTimers() {
  timers_.DropStale([&](const TimerQueue::Timer& timer) {
    UserState* user = &users_[timer.slot];
    if (user->armed != timer.at) return false;
    user->armed = kNever;
    return true;
  });
  for (const TimerQueue::Timer& timer : timers_.entries()) users_[timer.slot].armed = timer.at;
}

void Engine::Advance(Millis now, Effects* effects) {
  while (!timers_.empty() && timers_.top().at <= now) {
    const TimerQueue::Timer timer = timers_.top();
    timers_.Pop();
    UserState* user = &users_[timer.slot];
    if (user->armed != timer.at) {
      timers_.NoteStalePopped();
      continue;
    }
    user->armed = kNever;
    AdvanceUser(user, now, effects);
  }
}

void Engine::AdvanceUser(UserState* user, Millis now, Effects* effects) {
  FireTimers(user, now == kNever ? kNever : now + 1, effects);
  Arm(user);
}

// Marks the conditions that are due by an instant. Their next due instants are then computed again.
void Engine::MarkDue(UserState* user, Millis by) {
  user->next_due = user->ForEachDue(by, [&](ConditionId c) {
    dirty_.Add(c);
    due_ = true;
    clock_judgements_ += program_->clock_readers.Has(c);
  });
}

// Fires the user's timers due before an instant, in their order.
void Engine::CatchUp(UserState* user, Millis before, Effects* effects) {
  const uint64_t most_changes = changes_ + static_cast<uint64_t>(program_->plan->limit_catch_up);
  const uint64_t looks = ClockLooks();
  while (user->next_due < before) {
    const Millis at = user->next_due;
    due_ = false;
    MarkDue(user, at);
    if (!due_) continue;  // the condition that was due has been postponed since
    Touch(user);
    const uint64_t changes = changes_;
    Judge(user, at, false, effects);
    // Only an instant at which something happened makes later events late. A judgement that changed nothing does not.
    if (changes_ != changes) user->now = std::max(user->now, at);
    user->looked = at;
    const uint64_t looked = ClockLooks() - looks;
    if (changes_ >= most_changes || looked >= MaxClockJudgements()) {
      PassOver(user, before - 1, effects);
      break;
    }
    if (looked >= kPatientAfter) evaluator_.set_patient(true);
  }
  evaluator_.set_patient(false);
}

// Skips the instants up to `last` and judges everything there. Changes of tracked segments in between are found as
// after a late event.
void Engine::PassOver(UserState* user, Millis last, Effects* effects) {
  if (last <= user->looked || last == kNever - 1) return;
  const Millis from = user->looked + 1;
  user->now = last;
  user->looked = last;
  if (!program_->tracked.empty()) Retell(user, from);
  MarkDue(user, last);
  MarkAll(user);
  Judge(user, last, false, effects);
}

// Marks every condition, and every key.
void Engine::MarkAll(UserState* user) {
  dirty_.Fill(program_->conditions.size());
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (user->keys(i)) user->keys(i)->InvalidateAll();
  }
}

// --- records ---

Applied Engine::Apply(const Record& record, Effects* effects) {
  UserState* user = AdmitUser(record);
  return user ? ApplyTo(user, record, effects) : Applied::kDuplicate;
}

UserState* Engine::AdmitUser(const Record& record) {
  UserState* user = Find(record.user);
  if (!user) {
    user = Add(record.user);
  } else if (IsDuplicate(*user, record)) {
    return nullptr;
  }
  Touch(user);
  user->known |= record.names_user;
  user->Remember(record.id, record.time, program_->series_limit);
  return user;
}

Applied Engine::ApplyTo(UserState* user, const Record& record, Effects* effects) {
  const bool added = user->first_seen == kNever;
  Touch(user);
  FireTimers(user, record.time, effects);
  const bool late = record.time < user->now;
  if (!late) {
    user->now = record.time;
    if (user->next_due <= record.time) MarkDue(user, record.time);
  }
  if (added) dirty_.AddAll(not_false_);
  // A timer may have judged the user after this event's time and found no change. That result is stale.
  if (late || record.time < user->looked) MarkAll(user);
  user->first_seen = std::min(user->first_seen, record.time);
  TakeIn(user, record);
  if (!program_->tracked.empty()) RememberPast(user, record);
  Judge(user, user->now, late, effects);
  if (record.kind == EventKind::kTrack) FireOn(user, record, effects);
  Arm(user);
  return late ? Applied::kLate : Applied::kNew;
}

bool Engine::IsDuplicate(const UserState& user, const Record& record) const {
  return user.HasSeen(record.id, record.time, program_->plan->dedupe);
}

void Engine::TakeIn(UserState* user, const Record& record) {
  if (!record.facts.empty()) TakeInFacts(user, record);
  if (record.kind != EventKind::kTrack) return;
  user->AddRecent(record.sequence);
  dirty_.AddAll(program_->event_listeners);
  // If no session was open, conditions that read only the open session have seen no other event.
  const bool was_open = user->sessions.OpenAt(record.time, program_->sessions) != nullptr;
  const bool began = user->sessions.Insert(record.time, record.id, program_->sessions);
  if (began) dirty_.AddAll(was_open ? program_->session_listeners : program_->past_session_listeners);
  matched_.clear();
  bool marked = program_->sequences.every_event();
  for (const uint32_t selector : program_->selectors_of_name[record.name]) {
    if (!evaluator_.Matches(program_->selectors[selector].filter, record.name, record.fields)) continue;
    matched_.push_back(selector);
    marked |= program_->sequences.MarkOf(selector) != SequenceProgram::kNoMark;
    if (AddToSelector(user, selector, record)) {
      MarkTouched(user, selector, record);
    } else {
      dirty_.AddAll(program_->listeners_of_selector[selector].all);
    }
  }
  if (marked) {
    advanced_.clear();
    user->MakeSequences().TakeIn(program_->sequences, record.time, matched_, record.fields, &interner_, &advanced_);
    for (const uint32_t sequence : advanced_) {
      for (const ConditionId c : program_->listeners_of_sequence[sequence]) {
        if (!(user->Holds(c) ? program_->rising : program_->falling).Has(c)) dirty_.Add(c);
      }
    }
  }
  for (uint32_t i = 0; i < program_->keys.size(); ++i) TakeInKey(user, i, record, matched_, began);
}

void Engine::TakeInKey(UserState* user, uint32_t index, const Record& record, std::span<const uint32_t> matched, bool began) {
  const KeySpec& spec = program_->keys[index];
  if (user->keys(index) && (spec.every_event || (spec.sessions && began))) user->keys(index)->InvalidateAll();
  const Stored value = Stored::Acquire(record.fields[spec.field], &interner_);
  if (value.is_null()) return;
  KeyStates& keys = user->MakeKeys(index);
  Key* key = keys.Take(value, record.time, program_->series_limit, &interner_);
  UserState* state = &key->state;
  state->now = user->now;
  bool concerns = key->stale || spec.kind == Expression::Kind::kTop;  // its rank among equals
  bool marked = false;
  for (const uint32_t selector : matched) {
    concerns |= spec.selectors[selector];
    marked |= spec.within->sequences.MarkOf(selector) != SequenceProgram::kNoMark;
    for (const uint32_t i : spec.within->series_of_selector[selector]) AddToSeries(state, i, record);
    for (const uint32_t i : spec.within->totals_of_selector[selector]) AddToTotal(state, i, record);
  }
  if (marked) state->MakeSequences().TakeIn(spec.within->sequences, record.time, matched, record.fields, &interner_);
  if (!concerns) return;
  keys.Invalidate(key);
  dirty_.AddAll(program_->listeners_of_keys[index]);
}

void Engine::TakeInFacts(UserState* user, const Record& record) {
  for (const Fact& fact : record.facts) {
    user->TakeIn(fact);
    dirty_.AddAll(program_->fact_listeners[static_cast<size_t>(fact.kind)]);
    InvalidateDependentKeys(user, fact.kind);
  }
}

bool Engine::AddToSelector(UserState* user, uint32_t selector, const Record& record) {
  bool adds = true;
  for (const uint32_t index : program_->series_of_selector[selector]) adds &= AddToSeries(user, index, record);
  for (const uint32_t index : program_->totals_of_selector[selector]) adds &= AddToTotal(user, index, record);
  return adds;
}

// The state is a user's, or a key's with the series of the program within.
bool Engine::AddToSeries(UserState* user, uint32_t index, const Record& record) {
  const SeriesSpec& spec = user->program().series[index];
  if (!TakesIn(spec, record)) return true;
  const Stored value = spec.field != kNone ? Stored::Acquire(record.fields[spec.field], &interner_) : Stored();
  const bool whole = Prune(user, index);
  user->AddToSeries(index, record.time, value);
  return whole && !(value.is_number() && value.number() < 0);
}

// Drops entries that no window can need, if enough have accumulated. Returns false if the limit dropped entries that a
// window can still need.
bool Engine::Prune(UserState* user, uint32_t index) {
  const uint32_t limit = user->program().SeriesLimit(index);
  if (!user->IsSeriesFull(index, limit)) return true;
  const Series held = user->FindSeries(index);
  const SeriesSpec& spec = user->program().series[index];
  uint32_t drop = 0;
  if (spec.keep_span != kNever) {
    const Millis horizon = user->now - spec.keep_span;
    while (held.size() - drop > spec.keep_count && held.time(drop) <= horizon) ++drop;
  }
  const auto skipped = static_cast<uint32_t>(held.skipped());
  if (drop > 0 || skipped > limit / 8) user->DropFromSeries(index, skipped + drop, &interner_);  // in batches
  if (drop > 0 || held.size() < limit) return true;
  user->SetSeriesTruncated(index);
  return false;
}

bool Engine::AddToTotal(UserState* user, uint32_t index, const Record& record) {
  using Kind = TotalSpec::Kind;
  const TotalSpec& spec = user->program().totals[index];
  if (record.time < spec.from || record.time >= spec.to) return true;
  const Value value = spec.field == kNone ? Value() : record.fields[spec.field];
  if (spec.field != kNone) {
    if (value.is_null() || value.type() == Type::kList) return true;
    if ((spec.kind == Kind::kSum || spec.kind == Kind::kTerms) && value.type() != Type::kNumber) return true;
    if ((spec.kind == Kind::kMin || spec.kind == Kind::kMax) && value.type() == Type::kBool) return true;
  }
  const bool fresh = user->FindTotal(spec.slot) == nullptr;
  uint64_t* words = user->MakeTotal(spec.slot, spec.Words());
  const auto hold = [&] {
    if (!fresh) Stored::FromBits(words[0]).Release(&interner_);
    words[0] = Stored::Acquire(value, &interner_).bits();
    if (spec.Words() == 2) words[1] = static_cast<uint64_t>(record.time);
  };
  const auto held_at = static_cast<Millis>(words[spec.Words() - 1]);
  switch (spec.kind) {
    case Kind::kCount:
    case Kind::kTerms: words[0] = std::bit_cast<uint64_t>(std::bit_cast<double>(words[0]) + 1); break;
    case Kind::kSum: {
      ExactSum sum(std::bit_cast<double>(words[0]), std::bit_cast<double>(words[1]));
      sum.Add(value.number());
      words[0] = std::bit_cast<uint64_t>(sum.high());
      words[1] = std::bit_cast<uint64_t>(sum.low());
      break;
    }
    case Kind::kMin:
    case Kind::kMax:
      if (fresh || Beats(value, Stored::FromBits(words[0]).Load(interner_), spec.kind == Kind::kMax)) hold();
      break;
    case Kind::kFirst:
      if (fresh || record.time < held_at) hold();
      break;
    case Kind::kLast:
      if (fresh || record.time >= held_at) hold();
      break;
    case Kind::kFirstTime: words[0] = static_cast<uint64_t>(fresh ? record.time : std::min(held_at, record.time)); break;
    case Kind::kLastTime: words[0] = static_cast<uint64_t>(fresh ? record.time : std::max(held_at, record.time)); break;
  }
  return spec.kind != Kind::kSum || value.number() >= 0;
}

// --- conditions ---

// Judges every dirty condition at one instant, each after the conditions that it refers to.
void Engine::Judge(UserState* user, Millis at, bool corrected, Effects* effects) {
  dirty_.TakeEach([&](ConditionId c) { JudgeOne(user, c, at, corrected, effects); });
  evaluator_.Forget();
}

void Engine::JudgeOne(UserState* user, ConditionId c, Millis at, bool corrected, Effects* effects) {
  const Condition& condition = program_->conditions[c];
  if (condition.on_selector != kNone) return;
  ++judged_;
  if (condition.keys != kNone) return JudgeKeys(user, c, at, effects);
  const Outcome now = evaluator_.Judge(condition.root, *user, at);
  user->SetDue(c, now.until);
  if (now.holds == user->Holds(c)) return;
  ++changes_;
  if (now.holds) {
    user->Enter(c, at);
  } else {
    user->Leave(c);
  }
  if (condition.segment) {
    sizes_[c] += now.holds ? 1 : -1;
    NoteMembership(user, c, at, now.holds);
    dirty_.AddAll(program_->dependents_of_segment[c]);
    InvalidateDependentKeys(user, c);
    effects->transitions.push_back({at, user, c, now.holds, corrected});
  } else if (now.holds == (condition.trigger->kind == Trigger::Kind::kEnter)) {
    Fire(user, c, at, effects);
  }
}

// Judges a trigger that fires for each key, in the order of the keys' JSON.
void Engine::JudgeKeys(UserState* user, ConditionId c, Millis at, Effects* effects) {
  const Condition& condition = program_->conditions[c];
  std::vector<const Key*> changed;
  user->SetDue(c, evaluator_.JudgeKeys(condition.keys, *user, at, &changed));
  std::vector<std::pair<std::string, const Key*>> fired;
  changes_ += changed.size();
  for (const Key* key : changed) {
    if (key->holds != (condition.trigger->kind == Trigger::Kind::kEnter)) continue;
    fired.emplace_back(ToJson(key->value.Load(interner_)), key);
  }
  std::sort(fired.begin(), fired.end());
  for (const auto& [json, key] : fired) Fire(user, c, at, effects, key, json);
}

void Engine::InvalidateDependentKeys(UserState* user, ConditionId segment) {
  for (const uint32_t keys : program_->keys_of_segment[segment]) {
    if (user->keys(keys)) user->keys(keys)->InvalidateAll();
  }
}

void Engine::InvalidateDependentKeys(UserState* user, FactKind kind) {
  for (uint32_t i = 0; i < program_->keys.size(); ++i) {
    if (program_->keys[i].facts[static_cast<size_t>(kind)] && user->keys(i)) user->keys(i)->InvalidateAll();
  }
}

// --- reading ---

Timed Engine::Evaluate(NodeId node, const UserState& user, Millis t) {
  evaluator_.Forget();
  evaluator_.ResetIncomplete();
  return evaluator_.Evaluate(node, user, t);
}

Timed Engine::EvaluateWithin(uint32_t keys, NodeId node, const UserState& user, const Key& key, Millis t) {
  evaluator_.Forget();
  evaluator_.ResetIncomplete();
  return evaluator_.EvaluateWithin(keys, node, user, key, t);
}

bool Engine::Selects(uint32_t selector, const Record& record) {
  const auto& selectors = program_->selectors_of_name[record.name];
  return std::find(selectors.begin(), selectors.end(), selector) != selectors.end() &&
         evaluator_.Matches(program_->selectors[selector].filter, record.name, record.fields);
}

// A sum changes whenever an event leaves its window, but the condition may still hold. So each change is examined.
Millis Engine::LapsesAt(const UserState& user, ConditionId segment, Millis t) {
  constexpr int kChanges = 1000;  // a condition that holds through this many, as `hour() >= 0`, never lapses
  for (int i = 0; i < kChanges && t != kNever; ++i) {
    const Timed timed = Evaluate(program_->conditions[segment].root, user, t);
    if (!timed.value.IsTrue()) return t;
    t = timed.until;
  }
  return kNever;
}

size_t Engine::MemoryBytes() const {
  size_t bytes = by_id_.capacity() * (sizeof(Entry) + 1) + timers_.size() * sizeof(TimerQueue::Timer);
  for (const UserState& user : users_) bytes += user.MemoryBytes();
  return bytes;
}

}  // namespace attune
