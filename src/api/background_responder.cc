#include "api/background_responder.h"

#include <chrono>

namespace attune {
namespace {

// How often works that wait for their clients are tried again.
constexpr auto kLook = std::chrono::milliseconds(20);

}  // namespace

BackgroundResponder::BackgroundResponder() : thread_([this] { Run(); }) {}

bool BackgroundResponder::Begin(Work work) {
  {
    const std::lock_guard hold(mutex_);
    if (stopped_ || under_way_ == kMax) return false;
    ++under_way_;
    waiting_.push_back(std::move(work));
  }
  work_.notify_one();
  return true;
}

void BackgroundResponder::Stop() {
  {
    const std::lock_guard hold(mutex_);
    stopped_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void BackgroundResponder::Run() {
  std::deque<Work> works;
  bool all_wait = false;
  while (true) {
    {
      std::unique_lock hold(mutex_);
      const auto woken = [&] { return stopped_ || !waiting_.empty(); };
      if (works.empty()) {
        work_.wait(hold, woken);
      } else if (all_wait) {
        work_.wait_for(hold, kLook, woken);
      }
      if (stopped_) break;
      for (Work& work : waiting_) works.push_back(std::move(work));
      waiting_.clear();
    }
    all_wait = true;
    std::deque<Work> left;
    for (Work& work : works) {
      const Turn turn = work();
      if (turn == Turn::kAgain) all_wait = false;
      if (turn != Turn::kDone) left.push_back(std::move(work));
    }
    const size_t done = works.size() - left.size();
    works = std::move(left);
    const std::lock_guard hold(mutex_);
    under_way_ -= done;
  }
  const std::lock_guard hold(mutex_);
  waiting_.clear();
}

}  // namespace attune
