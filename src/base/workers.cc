#include "base/workers.h"

#include <pthread.h>

#include <thread>

namespace attune {
namespace {

class ThreadWorker : public Worker {
 public:
  ThreadWorker(const char* name, std::function<Next()> step) : step_(std::move(step)), thread_([this, name] { Run(name); }) {}
  ~ThreadWorker() override { Join(); }

  void Wake() override {
    {
      const std::lock_guard hold(mutex_);
      if (woken_) return;
      woken_ = true;
    }
    wake_.notify_one();
  }

  void Join() override {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run(const char* name) {
    pthread_setname_np(pthread_self(), name);
    while (true) {
      const Next next = step_();
      if (next.done) return;
      if (next.rest.count() == 0) continue;
      std::unique_lock hold(mutex_);
      const auto woken = [this] { return woken_; };
      if (next.rest == std::chrono::milliseconds::max()) {
        wake_.wait(hold, woken);
      } else {
        wake_.wait_for(hold, next.rest, woken);
      }
      woken_ = false;
    }
  }

  const std::function<Next()> step_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;  // guarded by the mutex
  std::thread thread_;
};

class ThreadWorkers : public Workers {
 public:
  std::unique_ptr<Worker> Start(const char* name, std::function<Worker::Next()> step) override {
    return std::make_unique<ThreadWorker>(name, std::move(step));
  }
  void Await(std::unique_lock<std::mutex>* hold, std::condition_variable* changed, const std::function<bool()>& done) override {
    changed->wait(*hold, done);
  }
};

}  // namespace

Workers& Threads() {
  static ThreadWorkers workers;
  return workers;
}

}  // namespace attune
