#include "api/studies.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "crypto/random_token.h"
#include "http/problem.h"

namespace attune {
namespace {

constexpr int kNice = 10;  // serving threads get nine tenths of a core that they share with a study

}  // namespace

Studies::Studies() : first_id_(RandomToken().substr(0, 8)) {}

Studies::~Studies() { Stop(); }

std::optional<std::string> Studies::Begin(Work work, std::function<void(Response)> answer) {
  const std::lock_guard hold(mutex_);
  if (running_ || stopped_) return std::nullopt;
  if (thread_.joinable()) thread_.join();  // it has ended, but for a few instructions
  auto study = std::make_shared<Study>();
  study->id = fmt::format("{}-{}", first_id_, ++begun_);
  study->began = std::chrono::steady_clock::now();
  study->kept = !answer;
  if (study->kept) {
    studies_.push_back(study);
    if (studies_.size() > kKept) studies_.pop_front();
  }
  running_ = study;
  thread_ = std::thread([this, study, work = std::move(work), answer = std::move(answer)] { Run(study, work, answer); });
  return study->id;
}

void Studies::Run(const std::shared_ptr<Study>& study, const Work& work, const std::function<void(Response)>& answer) {
  // On Linux the priority is the thread's alone. Being refused it costs the others some speed, nothing else.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  Response response = work(&study->progress);
  if (study->progress.cancelled) {
    response = Problem(Code::kDraining, "the server is shutting down");
    response.headers.emplace_back("Retry-After", "1");
  }
  {
    const std::lock_guard hold(mutex_);
    study->ended = true;
    if (study->kept) study->answer = response;
    running_.reset();
  }
  if (answer) answer(std::move(response));
}

std::optional<std::string> Studies::Show(std::string_view id) const {
  const std::lock_guard hold(mutex_);
  const auto found = std::find_if(studies_.begin(), studies_.end(), [&](const auto& study) { return study->id == id; });
  if (found == studies_.end()) return std::nullopt;
  const Study& study = **found;
  const bool done = study.ended && study.answer.status == 200;
  std::string json = "{\"id\":";
  AppendJsonString(study.id, &json);
  json += fmt::format(",\"state\":\"{}\",\"done\":{},\"total\":{}", !study.ended ? "running" : done ? "done" : "failed",
                      study.progress.done.load(), study.progress.total.load());
  json += ",\"result\":" + (done ? study.answer.body : "null");
  json += ",\"problem\":" + (study.ended && !done ? study.answer.body : "null");
  return json + '}';
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
