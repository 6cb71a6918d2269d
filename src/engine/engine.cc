#include "engine/engine.h"

#include <algorithm>

#include "base/hash.h"

namespace attune {

Engine::Engine(std::shared_ptr<const Program> program)
    : program_(std::move(program)),
      evaluator_(*program_, interner_),
      sizes_(program_->segment_count),
      dirty_(program_->conditions.size()) {}

Engine::~Engine() = default;

// --- users ---

UserState* Engine::Find(std::string_view user) const {
  const auto found = by_id_.find(user);
  return found == by_id_.end() ? nullptr : *found;
}

UserState* Engine::Add(std::string_view id) {
  auto user = std::make_unique<UserState>();
  user->id = id;
  user->slot = static_cast<uint32_t>(users_.size());
  UserState* added = user.get();
  users_.push_back(std::move(user));
  by_id_.insert(added);
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
  ByteReader in(bytes);
  UserState* user = Add(id);
  if (!ReadUser(&in, *program_, &interner_, user)) {
    return Error{ErrorCode::kCorrupt, "the stored state of a user does not fit its plan"};
  }
  user->members.ForEach([&](ConditionId c, Millis) {
    if (c < program_->segment_count) ++sizes_[c];
  });
  user->FindNextDue();
  Arm(user);
  return {};
}

// --- timers ---

// A user stands in the queue once for her earliest due instant. Entries that came to be too early are put back when
// they are reached, so that a timer that moves on costs nothing until then.
void Engine::Arm(UserState* user) {
  if (user->next_due >= user->armed) return;
  user->armed = user->next_due;
  timers_.push({user->next_due, user->slot});
}

void Engine::Advance(Millis now, Effects* effects) {
  while (!timers_.empty() && timers_.top().at <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    UserState* user = users_[timer.slot].get();
    if (user->armed != timer.at) continue;  // a later entry of a user who was armed earlier since
    user->armed = kNever;
    AdvanceUser(user, now, effects);
  }
}

void Engine::AdvanceUser(UserState* user, Millis now, Effects* effects) {
  FireTimers(user, now == kNever ? kNever : now + 1, effects);
  Arm(user);
}

void Engine::MarkDue(const UserState& user, Millis by) {
  user.dues.ForEach([&](ConditionId c, Millis at) {
    if (at <= by) dirty_.Add(c);
  });
}

// Fires the user's timers due before an instant, in their order.
void Engine::FireTimers(UserState* user, Millis before, Effects* effects) {
  while (true) {
    const Millis at = user->next_due;
    if (at >= before) return;
    MarkDue(*user, at);
    Touch(user);
    changed_ = false;
    Judge(user, at, false, effects);
    // A look that changed nothing is the engine's own affair: only an instant at which something happened makes
    // later events late.
    if (changed_) user->now = std::max(user->now, at);
    user->looked = at;
  }
}

// --- records ---

Applied Engine::Apply(const Record& record, Effects* effects) {
  UserState* user = Find(record.user);
  if (user && IsDuplicate(*user, record)) return Applied::kDuplicate;
  const bool added = user == nullptr;
  if (added) user = Add(record.user);
  Touch(user);
  FireTimers(user, record.time, effects);
  const bool late = record.time < user->now;
  if (!late) {
    user->now = record.time;
    if (user->next_due <= record.time) MarkDue(*user, record.time);
  }
  // A timer may have looked at the user after this event's time and found nothing changed; what it found then is stale.
  if (added || late || record.time < user->looked) dirty_.Fill(program_->conditions.size());
  user->first_seen = std::min(user->first_seen, record.time);
  user->seen.Add(record.id, record.time, static_cast<size_t>(program_->plan->limit_events));
  TakeIn(user, record);
  Judge(user, user->now, late, effects);
  if (record.kind == EventKind::kTrack) FireOn(user, record, effects);
  Arm(user);
  return late ? Applied::kLate : Applied::kNew;
}

bool Engine::IsDuplicate(const UserState& user, const Record& record) const {
  return user.seen.Within(record.id, record.time, program_->plan->dedupe);
}

void Engine::TakeIn(UserState* user, const Record& record) {
  if (record.kind == EventKind::kIdentify) return TakeInTraits(user, record);
  if (record.kind != EventKind::kTrack) return;
  AddToRecent(user, record);
  dirty_.AddAll(program_->event_listeners);
  if (user->sessions.Insert(record.time, record.id, program_->sessions)) dirty_.AddAll(program_->session_listeners);
  matched_.clear();
  for (const uint32_t selector : program_->selectors_of_name[record.name]) {
    if (!evaluator_.Matches(program_->selectors[selector].filter, record.fields)) continue;
    matched_.push_back(selector);
    dirty_.AddAll(program_->listeners_of_selector[selector]);
    for (const uint32_t index : program_->series_of_selector[selector]) AddToSeries(user, index, record);
    for (const uint32_t index : program_->totals_of_selector[selector]) AddToTotal(user, index, record);
  }
}

void Engine::TakeInTraits(UserState* user, const Record& record) {
  dirty_.AddAll(program_->trait_listeners);
  if (record.traits.empty()) return;
  if (!user->traits) user->traits = std::make_unique<std::vector<Trait>>();
  for (const Record::TraitChange& change : record.traits) {
    auto at = std::find_if(user->traits->begin(), user->traits->end(), [&](const Trait& t) { return t.name == change.name; });
    if (at == user->traits->end()) {
      user->traits->push_back({change.name, record.time, change.json});
    } else if (record.time >= at->time) {
      at->time = record.time;
      at->json = change.json;
    }
  }
}

void Engine::AddToRecent(UserState* user, const Record& record) {
  auto& recent = user->recent;
  if (recent.size() == kRecentEvents) {
    if (record.time < recent.front().time) return;
    interner_.Release(recent.front().name);
    recent.erase(recent.begin());
  }
  if (recent.size() == recent.capacity()) recent.reserve(recent.size() < 4 ? recent.size() + 2 : kRecentEvents);
  const auto at = std::upper_bound(recent.begin(), recent.end(), record.time, [](Millis t, const RecentEvent& e) { return t < e.time; });
  recent.insert(at, {interner_.Acquire(record.event), static_cast<uint32_t>(record.sequence), record.time});
}

void Engine::AddToSeries(UserState* user, uint32_t index, const Record& record) {
  const SeriesSpec& spec = program_->series[index];
  const bool with_values = spec.field != kNone;
  if (with_values) {
    const Type type = record.fields[spec.field].type();
    if (type == Type::kNull || type == Type::kList) return;
  }
  Series& series = user->series.At(index);
  series.Insert(record.time, with_values ? Stored::Acquire(record.fields[spec.field], &interner_) : Stored(), with_values);
  Prune(spec, user->now, &series);
}

// Drops from the front what can never be asked for again.
void Engine::Prune(const SeriesSpec& spec, Millis now, Series* series) {
  const size_t limit = static_cast<size_t>(std::max<int64_t>(program_->plan->limit_events, spec.keep_count));
  size_t drop = 0;
  if (spec.keep_span != kNever) {
    const Millis horizon = now - spec.keep_span;
    while (series->size() - drop > spec.keep_count && series->time(drop) <= horizon) ++drop;
  }
  if (series->size() - drop > limit) {
    drop = series->size() - limit;
    series->set_truncated();
  }
  if (drop > 0) series->DropFront(drop, &interner_);
}

void Engine::AddToTotal(UserState* user, uint32_t index, const Record& record) {
  using Kind = TotalSpec::Kind;
  const TotalSpec& spec = program_->totals[index];
  if (record.time < spec.from || record.time >= spec.to) return;
  const Value value = spec.field == kNone ? Value() : record.fields[spec.field];
  if (spec.field != kNone) {
    if (value.is_null() || value.type() == Type::kList) return;
    if (spec.kind == Kind::kSum && value.type() != Type::kNumber) return;
    if ((spec.kind == Kind::kMin || spec.kind == Kind::kMax) && value.type() == Type::kBool) return;
  }
  const bool fresh = user->totals.Find(index) == nullptr;
  Total& total = user->totals.At(index);
  const auto hold = [&] {
    if (!fresh) Stored::FromBits(total.value).Release(&interner_);
    total.value = Stored::Acquire(value, &interner_).bits();
    total.time = record.time;
  };
  switch (spec.kind) {
    case Kind::kCount: total.number += 1; break;
    case Kind::kSum: {
      ExactSum sum(total.number, total.low);
      sum.Add(value.number());
      total.number = sum.high();
      total.low = sum.low();
      ++total.time;
      break;
    }
    case Kind::kMin:
    case Kind::kMax:
      if (fresh || Beats(value, Stored::FromBits(total.value).Load(interner_), spec.kind == Kind::kMax)) hold();
      break;
    case Kind::kFirst:
      if (fresh || record.time < total.time) hold();
      break;
    case Kind::kLast:
      if (fresh || record.time >= total.time) hold();
      break;
    case Kind::kFirstTime: total.time = fresh ? record.time : std::min(total.time, record.time); break;
    case Kind::kLastTime: total.time = fresh ? record.time : std::max(total.time, record.time); break;
  }
}

// --- conditions ---

// Judges every dirty condition at one instant, each after what it refers to.
void Engine::Judge(UserState* user, Millis at, bool corrected, Effects* effects) {
  for (ConditionId c = dirty_.Next(0); c != kNone; c = dirty_.Next(c + 1)) JudgeOne(user, c, at, corrected, effects);
  dirty_.Clear();
  evaluator_.Forget();
  user->FindNextDue();
}

void Engine::JudgeOne(UserState* user, ConditionId c, Millis at, bool corrected, Effects* effects) {
  const Condition& condition = program_->conditions[c];
  if (condition.on_selector != kNone) return;
  const Timed now = evaluator_.Evaluate(condition.root, *user, at);
  user->SetDue(c, now.until);
  const bool holds = now.value.IsTrue();
  if (holds == user->members.Has(c)) return;
  changed_ = true;
  if (holds) {
    user->members.At(c) = at;
  } else {
    user->members.Erase(c);
  }
  if (condition.segment) {
    sizes_[c] += holds ? 1 : -1;
    dirty_.AddAll(program_->dependents_of_segment[c]);
    effects->transitions.push_back({at, user, c, holds, corrected});
  } else if (holds == (condition.trigger->kind == Trigger::Kind::kEnter)) {
    Fire(user, c, at, effects);
  }
}

// --- triggers ---

void Engine::FireOn(UserState* user, const Record& record, Effects* effects) {
  for (const ConditionId c : program_->condition_of_on_trigger) {
    const Condition& condition = program_->conditions[c];
    if (std::find(matched_.begin(), matched_.end(), condition.on_selector) == matched_.end()) continue;
    const bool where = condition.root == kNone || evaluator_.Evaluate(condition.root, *user, user->now).value.IsTrue();
    if (where) Fire(user, c, record.time, effects);
  }
  evaluator_.Forget();
}

bool Engine::MayFire(UserState* user, const Trigger& trigger, ConditionId c, Millis at) {
  const Millis span = trigger.at_most ? std::max(trigger.cooldown, trigger.at_most->span) : trigger.cooldown;
  if (span == 0) return true;
  auto& firings = user->firings;
  std::erase_if(firings, [&](const Firing& f) { return f.condition == c && f.at <= user->now - span && f.at <= at - span; });
  int recent = 0;
  for (const Firing& firing : firings) {
    if (firing.condition != c) continue;
    const Millis apart = std::abs(at - firing.at);
    if (trigger.cooldown > 0 && apart < trigger.cooldown) return false;
    if (trigger.at_most && apart < trigger.at_most->span) ++recent;
  }
  if (trigger.at_most && recent >= trigger.at_most->count) return false;
  firings.push_back({c, at});
  return true;
}

void Engine::Fire(UserState* user, ConditionId c, Millis at, Effects* effects) {
  const Condition& condition = program_->conditions[c];
  if (!MayFire(user, *condition.trigger, c, at)) return;
  TriggerFiring firing;
  firing.at = at;
  firing.user = user;
  firing.trigger = c;
  // Length-free parts joined by zero bytes, which names and instants do not hold.
  firing.id = ToHex(Hash128(condition.name + '\0' + user->id + '\0' + '\0' + std::to_string(at)));
  firing.values = "{";
  for (const auto& [name, node] : condition.with) {
    const Value value = evaluator_.Evaluate(node, *user, std::max(at, user->now)).value;
    if (value.is_null()) continue;
    if (firing.values.size() > 1) firing.values += ',';
    AppendJsonString(name, &firing.values);
    firing.values += ':' + ToJson(value);
  }
  firing.values += '}';
  effects->firings.push_back(std::move(firing));
}

// --- reading ---

Timed Engine::Evaluate(NodeId node, const UserState& user, Millis t) {
  evaluator_.Forget();
  evaluator_.ResetIncomplete();
  return evaluator_.Evaluate(node, user, t);
}

// A sum changes whenever an event leaves its window, and may suffice all the same: so each change is looked at.
Millis Engine::LapsesAt(const UserState& user, ConditionId segment, Millis t) {
  constexpr int kChanges = 1000;  // what holds through so many, such as `hour() >= 0`, is said not to lapse
  for (int i = 0; i < kChanges && t != kNever; ++i) {
    const Timed timed = Evaluate(program_->conditions[segment].root, user, t);
    if (!timed.value.IsTrue()) return t;
    t = timed.until;
  }
  return kNever;
}

size_t Engine::MemoryBytes() const {
  size_t bytes = users_.capacity() * sizeof(void*) + by_id_.capacity() * (sizeof(void*) + 1) + timers_.size() * sizeof(Timer);
  for (const auto& user : users_) bytes += user->MemoryBytes();
  return bytes;
}

}  // namespace attune
