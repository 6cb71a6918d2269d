#include "simulator/plans.h"

#include <algorithm>

#include "base/check.h"
#include "plan/plan.h"

namespace attune::simulate {

void Plans::Add(std::string text) {
  Loaded loaded;
  loaded.plan = ParsePlan(text).plan;
  ATTUNE_CHECK(loaded.plan != nullptr, "the generator draws plans that load");
  loaded.program = Program::Compile(loaded.plan);
  loaded.text = std::move(text);
  plans_.push_back(std::move(loaded));
}

size_t Plans::IndexOf(uint64_t fingerprint) const {
  const auto it = std::find_if(plans_.begin(), plans_.end(), [&](const Loaded& loaded) { return loaded.plan->fingerprint == fingerprint; });
  ATTUNE_CHECK(it != plans_.end(), "a life has no plans but its own");
  return static_cast<size_t>(it - plans_.begin());
}

void PlansInForce::Start(size_t plan, uint64_t from, uint64_t last) {
  // The process before logged all that is there, some of it while it ended.
  if (!processes_.empty()) processes_.back().end = std::max(processes_.back().end, last);
  processes_.push_back({plan, from, last, last, {}});
  present_ = plan;
}

void PlansInForce::Enter(size_t plan, uint64_t latest) {
  processes_.back().entered.push_back({plan, latest, 0});
  present_ = plan;
}

void PlansInForce::End(uint64_t last) {
  if (!processes_.empty()) processes_.back().end = last;
}

bool PlansInForce::several() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [&](const Process& process) { return process.plan != processes_.front().plan || !process.entered.empty(); });
}

void PlansInForce::Settle(const LogContents& log) {
  changes_.clear();
  for (size_t p = 0; p < processes_.size(); ++p) {
    size_t before = processes_[p].plan;
    for (Entered& entered : processes_[p].entered) {
      // The state under the new plan includes the change, and hardly anything behind it.
      for (const LogRecord& record : log) {
        if (record.sequence > entered.latest || record.type != RecordType::kPlan) continue;
        if (plans_.IndexOf(ReadPlan(record).fingerprint) == entered.plan) entered.sequence = record.sequence;
      }
      const bool again = std::any_of(processes_.begin() + static_cast<std::ptrdiff_t>(p) + 1, processes_.end(), [&](const Process& later) {
        return later.from < entered.sequence && entered.sequence <= later.last;
      });
      changes_.push_back({entered.sequence, before, entered.plan, again});
      before = entered.plan;
    }
  }
}

size_t PlansInForce::Process::PlanAt(uint64_t sequence) const {
  size_t at = plan;
  for (const Entered& change : entered) {
    if (change.sequence < sequence) at = change.plan;
  }
  return at;
}

std::set<size_t> PlansInForce::Of(uint64_t sequence) const {
  std::set<size_t> plans;
  for (const Process& process : processes_) {
    if (process.from < sequence && sequence <= process.end) plans.insert(process.PlanAt(sequence));
  }
  return plans;
}

}  // namespace attune::simulate
