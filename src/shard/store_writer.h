// Writes batches to the store on a thread of its own, one after the other, in the order they came.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "state/store.h"

namespace attune {

class StoreWriter {
 public:
  explicit StoreWriter(Store* store) : store_(*store), thread_([this] { Run(); }) {}
  // Writes what waits first.
  ~StoreWriter() {
    {
      const std::lock_guard hold(mutex_);
      closing_ = true;
    }
    work_.notify_one();
    thread_.join();
  }

  // Gives the batch's number: they count from 1. `then` is called on the writer's thread: whether the batch, and all
  // before it, were written.
  uint64_t Write(WriteBatch batch, std::function<void(bool written)> then = nullptr) {
    uint64_t number = 0;
    {
      const std::lock_guard hold(mutex_);
      tasks_.push_back({std::move(batch), std::move(then)});
      number = ++taken_;
    }
    work_.notify_one();
    return number;
  }

  // Whether a snapshot may begin after the batch with this number: it has been written, and few others wait.
  bool IsReadyAfter(uint64_t number) {
    const std::lock_guard hold(mutex_);
    if (failed_ || taken_ - tasks_.size() < number) return false;
    return std::count_if(tasks_.begin(), tasks_.end(), [](const Task& task) { return !task.then; }) <= 2;
  }

 private:
  struct Task {
    WriteBatch batch;
    std::function<void(bool)> then;
  };

  void Run() {
    std::unique_lock hold(mutex_);
    while (true) {
      work_.wait(hold, [&] { return closing_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const Task& task = tasks_.front();  // stays where it is: others are added behind it
      hold.unlock();
      // A snapshot that is not written costs a longer recovery, nothing else; the shard's next one carries only later
      // changes, though, so after a failure none may follow.
      const bool written = !failed_ && store_.Write(task.batch).ok();
      if (task.then) task.then(written);
      hold.lock();
      failed_ |= !written;
      tasks_.pop_front();
    }
  }

  Store& store_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Task> tasks_;  // the first is being written
  uint64_t taken_ = 0;
  bool closing_ = false;
  bool failed_ = false;
  std::thread thread_;
};

}  // namespace attune
