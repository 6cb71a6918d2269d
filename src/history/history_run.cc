#include "history/history_run.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace attune {

HistoryRun::HistoryRun(std::shared_ptr<const Program> program, std::vector<Millis> at, Sink sink,
                       std::function<bool(std::string_view id)> may_merge)
    : reader_(program), engine_(std::move(program)), may_merge_(std::move(may_merge)), at_(std::move(at)), sink_(std::move(sink)) {
  std::sort(at_.begin(), at_.end());
  at_.erase(std::unique(at_.begin(), at_.end()), at_.end());
}

Applied HistoryRun::Apply(std::string_view bytes) {
  const auto read = reader_.Read(bytes);
  ATTUNE_CHECK(read.ok(), "an admitted event can be read");
  return Apply(*read, !may_merge_ || may_merge_(read->user) ? bytes : std::string_view());
}

Applied HistoryRun::Apply(Record record, std::string_view bytes) {
  const bool keeps = !bytes.empty();
  std::string person;  // a copy, because a merge invalidates the views that PersonOf returns
  if (const std::string_view leads_to = identity_.PersonOf(record.user); leads_to.data() != record.user.data()) {
    person = leads_to;
    record.user = person;
  }
  UserState* user = engine_.Find(record.user);
  if (user && engine_.IsDuplicate(*user, record)) return Applied::kDuplicate;

  UserState* merged = nullptr;
  std::vector<Kept> others;
  if (Identity::RequestsMerge(record)) {
    const std::string other(identity_.PersonOf(record.anonymous_id));
    merged = identity_.MayMerge(other, record.user) ? engine_.Find(other) : nullptr;
    if (identity_.MayMerge(other, record.user) && !(merged && merged->known)) {
      identity_.Merge(other, record.user, position_);
      if (const auto found = kept_.find(other); found != kept_.end()) {
        others = std::move(found->second);
        kept_.erase(found);
      }
    } else {
      merged = nullptr;
    }
  }
  if (keeps) record.sequence = ++position_;
  if (merged) return MergeAt(merged, record, bytes, std::move(others));
  if (keeps) Insert({record.time, record.sequence, std::string(bytes)}, &kept_[record.user]);

  if (!at_.empty()) {
    if (user) {
      PassInstants(user, record.time);
    } else {  // the user is not reported for instants before their first record
      next_at_.push_back(static_cast<uint32_t>(std::lower_bound(at_.begin(), at_.end(), record.time) - at_.begin()));
    }
  }
  const Applied applied = engine_.Apply(record, &effects_);
  Emit();
  return applied;
}

void HistoryRun::Insert(Kept kept, std::vector<Kept>* history) {
  const auto after = std::upper_bound(history->begin(), history->end(), std::pair(kept.time, kept.position),
                                      [](const auto& place, const Kept& k) { return place < std::pair(k.time, k.position); });
  history->insert(after, std::move(kept));
}

// Costs the size of the smaller history, as PersonRebuild does.
Applied HistoryRun::MergeAt(UserState* other, const Record& record, std::string_view bytes, std::vector<Kept> others) {
  ATTUNE_CHECK(!bytes.empty(), "the caller passes bytes for ids that may be merged");
  UserState* user = engine_.Find(record.user);
  Millis at = std::max(record.time, other->now);
  if (user) at = std::max(at, user->now);
  if (!at_.empty()) {
    PassInstants(other, at);
    if (user) {
      PassInstants(user, at);
    } else {
      next_at_.push_back(static_cast<uint32_t>(std::lower_bound(at_.begin(), at_.end(), at) - at_.begin()));
    }
  }
  std::vector<Kept>& own = kept_[record.user];
  const bool absorbs = others.size() <= own.size();
  std::vector<Kept> smaller = std::move(absorbs ? others : own);
  if (!absorbs) own = std::move(others);
  Insert({record.time, record.sequence, std::string(bytes)}, &smaller);
  std::vector<Engine::PastRecord> past;
  for (const Kept& kept : smaller) past.push_back({kept.position, kept.bytes});
  RecordReader reader(engine_.shared_program());  // not reader_, whose buffers `record` views
  engine_.AdmitMerge(record, *other);
  bool merged = false;
  if (absorbs) {
    merged = engine_.Absorb(record, past, &engine_, other, &reader, &effects_);
  } else {
    ByteWriter state;
    WriteUser(*other, engine_.interner(), &state);
    auto draft = engine_.AdoptDraft(record.user, state.view());
    ATTUNE_CHECK(draft.ok(), "a state that was written can be read");
    merged = std::all_of(past.begin(), past.end(), [&](const auto& one) { return engine_.AddTo(&*draft, one, &reader); });
    if (merged) {
      engine_.Merge(record, &engine_, other, std::move(draft).value(), &effects_);
    } else {
      engine_.Discard(std::move(draft).value());
    }
  }
  for (Kept& kept : smaller) Insert(std::move(kept), &own);
  if (!merged) engine_.Merge(record, &engine_, other, DraftOf(record.user, own, false, &reader), &effects_);
  Emit();
  return Applied::kNew;
}

Engine::Draft HistoryRun::DraftOf(std::string_view user, const std::vector<Kept>& history, bool ids, RecordReader* reader) {
  Engine::Draft draft = engine_.BeginDraft(user, ids);
  for (const Kept& kept : history) engine_.AddTo(&draft, {kept.position, kept.bytes}, reader);
  return draft;
}

void HistoryRun::UndoMerge(std::string_view id, Millis at) {
  if (!identity_.IsMerged(id)) return;
  const std::string person(identity_.PersonOf(id));
  identity_.Undo(id, position_);
  auto& events = kept_[person];
  const auto of_others = std::stable_partition(events.begin(), events.end(), [&](const Kept& kept) {
    return identity_.PersonOf(DecodeEvent(kept.bytes)->head.user) == person;
  });
  std::vector<Kept> parted(std::make_move_iterator(of_others), std::make_move_iterator(events.end()));
  events.erase(of_others, events.end());
  kept_[id] = std::move(parted);
  for (const std::string_view part : {std::string_view(person), id}) {
    if (kept_[part].empty()) continue;
    if (UserState* user = engine_.Find(part)) {
      if (!at_.empty()) PassInstants(user, at);
    } else if (!at_.empty()) {
      next_at_.push_back(static_cast<uint32_t>(std::lower_bound(at_.begin(), at_.end(), at) - at_.begin()));
    }
    engine_.Rebuild(part, at, DraftOf(part, kept_[part], true, &reader_), &effects_);
  }
  Emit();
}

std::vector<std::string_view> HistoryRun::HistoryOf(std::string_view id) const {
  std::vector<std::string_view> history;
  const auto kept = kept_.find(identity_.PersonOf(id));
  if (kept == kept_.end()) return history;
  for (const Kept& one : kept->second) history.push_back(one.bytes);
  return history;
}

void HistoryRun::PassInstants(UserState* user, Millis before) {
  uint32_t& next = next_at_[user->slot];
  for (; next < at_.size() && at_[next] < before; ++next) {
    engine_.AdvanceUser(user, at_[next], &effects_);
    Emit();
    sink_.values(at_[next], *user);
  }
}

void HistoryRun::Finish(Millis until) {
  for (UserState& user : engine_.users()) {
    if (user.ended) continue;
    if (!at_.empty()) PassInstants(&user, until == kNever ? kNever : until + 1);
    engine_.AdvanceUser(&user, until, &effects_);
    Emit();
  }
  if (at_.empty()) return;
  // Instants after the end are reported, but effects up to them are not part of the run.
  const Sink sink = std::exchange(sink_, {[](const Transition&) {}, [](const TriggerFiring&) {}, sink_.values});
  for (UserState& user : engine_.users()) {
    if (!user.ended) PassInstants(&user, kNever);
  }
  sink_ = sink;
}

void HistoryRun::Emit() {
  for (const Transition& transition : effects_.transitions) sink_.transition(transition);
  for (const TriggerFiring& firing : effects_.firings) sink_.firing(firing);
  effects_.transitions.clear();
  effects_.firings.clear();
}

}  // namespace attune
