// Answers questions that read the log, on a thread outside the loops, in the order they came.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/workers.h"
#include "log/log.h"

namespace attune {

class LogQuestions {
 public:
  LogQuestions(ReadableLog* log, Workers* workers)
      : log_(*log), worker_(workers->Start("attune-lookup", [this] { return Step(); })) {}
  // Answers pending questions first.
  ~LogQuestions() {
    {
      const std::lock_guard hold(mutex_);
      closing_ = true;
    }
    worker_->Wake();
    worker_->Join();
  }

  void Ask(std::function<void(ReadableLog&)> question) {
    {
      const std::lock_guard hold(mutex_);
      questions_.push_back(std::move(question));
    }
    worker_->Wake();
  }

 private:
  Worker::Next Step() {
    std::function<void(ReadableLog&)> question;
    {
      const std::lock_guard hold(mutex_);
      if (questions_.empty()) return closing_ ? Worker::Next::Done() : Worker::Next::WhenWoken();
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    question(log_);
    return Worker::Next::Now();
  }

  ReadableLog& log_;
  std::mutex mutex_;
  std::deque<std::function<void(ReadableLog&)>> questions_;  // guarded by mutex_, as is the next
  bool closing_ = false;
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
