#include "server/watch.h"

#include <fmt/format.h>

#include "base/journal.h"

namespace attune {

void ServiceWatch::Look() {
  Journal& journal = Journal::OfProcess();
  if (const bool full = runtime_.storage_full(); full != full_) {
    full_ = full;
    if (full) {
      journal.Fail("storage_full", "storage is full, or the store's disk fails: events are refused with 503 until it takes them again");
    } else {
      journal.Info("storage_back", "storage takes events again");
    }
  }
  if (const bool leapt = runtime_.clock_leap() != 0; leapt != leapt_) {
    leapt_ = leapt;
    const Millis leap = runtime_.clock_leap();
    if (leapt) {
      journal.Fail("clock_leapt", "the machine's clock has leapt and is not followed until a restart", {{"ms", int64_t{leap}}});
    } else {
      journal.Info("clock_back", "the machine's clock is followed again");
    }
  }
  if (const Status failure = runtime_.failure(); !failure.ok() && !failed_) {
    failed_ = true;
    journal.Fail("storage_failed", failure.error().message);
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
