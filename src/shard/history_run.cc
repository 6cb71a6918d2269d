#include "shard/history_run.h"

#include <algorithm>

namespace attune {

HistoryRun::HistoryRun(std::shared_ptr<const Program> program, std::vector<Millis> at, Sink sink)
    : engine_(std::move(program)), at_(std::move(at)), sink_(std::move(sink)) {
  std::sort(at_.begin(), at_.end());
  at_.erase(std::unique(at_.begin(), at_.end()), at_.end());
}

Applied HistoryRun::Apply(const Record& record) {
  if (!at_.empty()) {
    UserState* user = engine_.Find(record.user);
    if (user && engine_.IsDuplicate(*user, record)) return Applied::kDuplicate;
    if (user) {
      PassInstants(user, record.time);
    } else {  // what lies before her first record does not show her
      next_at_.push_back(static_cast<uint32_t>(std::lower_bound(at_.begin(), at_.end(), record.time) - at_.begin()));
    }
  }
  const Applied applied = engine_.Apply(record, &effects_);
  Emit();
  return applied;
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
    if (!at_.empty()) PassInstants(&user, until == kNever ? kNever : until + 1);
    engine_.AdvanceUser(&user, until, &effects_);
    Emit();
  }
  if (at_.empty()) return;
  // Instants after the end are shown, but what happens until then is not part of the run.
  const Sink sink = std::exchange(sink_, {[](const Transition&) {}, [](const TriggerFiring&) {}, sink_.values});
  for (UserState& user : engine_.users()) PassInstants(&user, kNever);
  sink_ = sink;
}

void HistoryRun::Emit() {
  for (const Transition& transition : effects_.transitions) sink_.transition(transition);
  for (const TriggerFiring& firing : effects_.firings) sink_.firing(firing);
  effects_.transitions.clear();
  effects_.firings.clear();
}

}  // namespace attune
