#include "analysis/studies.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "crypto/random_token.h"

namespace attune {
namespace {

constexpr int kNice = 10;  // request threads get nine tenths of a core that they share with a study

}  // namespace

Studies::Studies() : first_id_(RandomToken().substr(0, 8)) {}

Studies::~Studies() { Stop(); }

std::optional<std::string> Studies::Begin(Work work, Done done) {
  const std::lock_guard hold(mutex_);
  if (running_ || stopped_) return std::nullopt;
  if (thread_.joinable()) thread_.join();  // it has ended, or is about to
  auto study = std::make_shared<Study>();
  study->id = fmt::format("{}-{}", first_id_, ++begun_);
  study->began = std::chrono::steady_clock::now();
  study->kept = !done;
  if (study->kept) {
    studies_.push_back(study);
    if (studies_.size() > kKept) studies_.pop_front();
  }
  running_ = study;
  thread_ = std::thread([this, study, work = std::move(work), done = std::move(done)] { Run(study, work, done); });
  return study->id;
}

void Studies::Run(const std::shared_ptr<Study>& study, const Work& work, const Done& done) {
  // On Linux this sets the priority of the calling thread only. If it fails, the study competes with request threads
  // for the processor; its answer is the same.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  StudyOutcome outcome = work(&study->progress);
  if (study->progress.cancelled) {
    outcome = {"", StudyOutcome::Failure{Code::kDraining, "the server is shutting down", 1}};
  }
  {
    const std::lock_guard hold(mutex_);
    if (study->kept) study->outcome = outcome;
    running_.reset();
  }
  if (done) done(std::move(outcome));
}

std::optional<Studies::View> Studies::Find(std::string_view id) const {
  const std::lock_guard hold(mutex_);
  const auto found = std::find_if(studies_.begin(), studies_.end(), [&](const auto& study) { return study->id == id; });
  if (found == studies_.end()) return std::nullopt;
  const Study& study = **found;
  return View{study.id, study.progress.done, study.progress.total, study.outcome};
}

bool Studies::Cancel(std::string_view id) {
  const std::lock_guard hold(mutex_);
  const auto found = std::find_if(studies_.begin(), studies_.end(), [&](const auto& study) { return study->id == id; });
  if (found == studies_.end()) return false;
  (*found)->progress.cancelled = true;
  studies_.erase(found);
  return true;
}

int Studies::SecondsLeft() const {
  const std::lock_guard hold(mutex_);
  if (!running_) return 1;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - running_->began).count();
  const auto done = static_cast<double>(running_->progress.done.load());
  const auto total = static_cast<double>(running_->progress.total.load());
  return done > 0 ? static_cast<int>(std::clamp(seconds * (total - done) / done, 1.0, 60.0)) : 1;
}

void Studies::Stop() {
  std::thread thread;
  {
    const std::lock_guard hold(mutex_);
    stopped_ = true;
    if (running_) running_->progress.cancelled = true;
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace attune
