// Answers questions from the log on a thread of its own, one after the other, in the order they came.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "log/lookup.h"

namespace attune {

class LogQuestions {
 public:
  explicit LogQuestions(LogLookup* lookup) : lookup_(*lookup), thread_([this] { Run(); }) {}
  // Answers those that wait first.
  ~LogQuestions() {
    {
      const std::lock_guard hold(mutex_);
      closing_ = true;
    }
    work_.notify_one();
    thread_.join();
  }

  void Ask(std::function<void(LogLookup&)> question) {
    {
      const std::lock_guard hold(mutex_);
      questions_.push_back(std::move(question));
    }
    work_.notify_one();
  }

 private:
  void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      work_.wait(hold, [&] { return closing_ || !questions_.empty(); });
      if (questions_.empty()) return;
      const auto question = std::move(questions_.front());
      questions_.pop_front();
      hold.unlock();
      question(lookup_);
      hold.lock();
    }
  }

  LogLookup& lookup_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::function<void(LogLookup&)>> questions_;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace attune
