#include "analysis/preview.h"

#include <algorithm>

#include "base/hash.h"
#include "engine/state/state_bound.h"
#include "history/history_run.h"
#include "plan/excerpt.h"

namespace attune {
namespace {

// Names that no plan can have.
constexpr const char* kAsked = "the preview";
constexpr const char* kPresent = "the present definition";

std::shared_ptr<const Plan> PlanOf(const PreviewQuestion& question) {
  std::vector<Metric> asked;
  asked.push_back({kAsked, Clone(*question.when), {}});
  if (question.against) asked.push_back({kPresent, Clone(*question.against->when), {}});
  return Excerpt(*question.plan, std::move(asked));
}

// Compiles the expression alone. Series that it shares with the present definition would be kept for the longer of the
// two needs.
int64_t BoundOf(const PreviewQuestion& question) {
  std::vector<Metric> asked;
  asked.push_back({kAsked, Clone(*question.when), {}});
  const auto program = Program::Compile(Excerpt(*question.plan, std::move(asked)));
  return StateBound(*program, program->MetricRoot(kAsked));
}

}  // namespace

void Crowd::Add(std::string_view user) {
  ++size_;
  const uint64_t hash = Hash64(user);
  if (named_.size() == sample_) {
    if (sample_ == 0 || named_.front().first <= hash) return;
    std::pop_heap(named_.begin(), named_.end());
    named_.pop_back();
  }
  named_.emplace_back(hash, user);
  std::push_heap(named_.begin(), named_.end());
}

std::vector<std::string> Crowd::Sample() const {
  std::vector<std::string> users;
  for (const auto& [hash, user] : named_) users.push_back(user);
  std::sort(users.begin(), users.end());
  return users;
}

// The definitions become metrics. Nothing listens to metrics, so an event costs only the state that it updates.
Result<Preview> RunPreview(const PreviewQuestion& question, StoredHistory* history, StudyProgress* progress) {
  Preview preview(question.sample);
  preview.state_bound = BoundOf(question);
  progress->total = 2 * history->size();
  const auto outline = OutlineOf(history, progress);
  if (!outline.ok()) return outline.error();

  const auto program = Program::Compile(PlanOf(question));
  const NodeId asked = program->MetricRoot(kAsked);
  const NodeId present = question.against ? program->MetricRoot(kPresent) : kNone;
  HistoryRun run(program, {}, {[](const Transition&) {}, [](const TriggerFiring&) {}, nullptr},
                 [&](std::string_view id) { return outline->linked.Contains(id); });
  if (const Status read = RunThrough(history, progress, &run); !read.ok()) return read.error();
  run.Finish(question.at);

  Engine& engine = run.engine();
  for (const UserState& user : engine.users()) {
    if (user.ended) continue;
    const Millis t = std::max(question.at, user.now);
    const bool in = engine.Evaluate(asked, user, t).value.IsTrue();
    bool incomplete = engine.incomplete();
    ++preview.users;
    if (in) preview.members.Add(user.id());
    if (present != kNone) {
      const bool was = engine.Evaluate(present, user, t).value.IsTrue();
      incomplete |= engine.incomplete();
      preview.present += was;
      if (in && !was) preview.entering.Add(user.id());
      if (!in && was) preview.leaving.Add(user.id());
    }
    preview.incomplete += incomplete;
  }
  return preview;
}

}  // namespace attune
