#include "app/watch.h"

#include <fmt/format.h>

#include "base/journal.h"

namespace attune {

void ServiceWatch::Look() {
  Journal& journal = Journal::OfProcess();
  const Log& log = runtime_.log();
  if (const bool full = log.storage_full(); full != full_) {
    full_ = full;
    if (full) {
      journal.Fail("storage_full", "storage is full: events are refused with 503 until there is space");
    } else {
      journal.Info("storage_back", "there is space again: events are accepted");
    }
  }
  if (log.failed() && !failed_) {
    failed_ = true;
    const Status status = log.status();
    journal.Fail("log_failed", status.ok() ? "the log has failed" : status.error().message);
  }
  const PlanProgress plan = runtime_.plan_progress();
  if (plan.state == plan_ && plan.fingerprint == fingerprint_) return;
  plan_ = plan.state;
  fingerprint_ = plan.fingerprint;
  const std::string fingerprint = fmt::format("{:016x}", plan.fingerprint);
  const auto records = static_cast<int64_t>(plan.done);
  switch (plan.state) {
    case PlanProgress::State::kReading:
      return journal.Info("plan_change_began", "the state of the changed plan is built from the log", {{"plan", std::string_view(fingerprint)}});
    case PlanProgress::State::kDone:
      return journal.Info("plan_changed", "the changed plan holds", {{"plan", std::string_view(fingerprint)}, {"records", records}});
    case PlanProgress::State::kFailed:
      return journal.Fail("plan_change_failed", plan.failure, {{"plan", std::string_view(fingerprint)}});
    case PlanProgress::State::kCancelled:
      return journal.Info("plan_change_cancelled", "another change took its place", {{"plan", std::string_view(fingerprint)}});
    case PlanProgress::State::kNone:
    case PlanProgress::State::kChanging: return;
  }
}

}  // namespace attune
