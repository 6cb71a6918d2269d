// Background work: on threads in the server; step by step, in an order chosen by the seed, in the simulator.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace attune {

class Worker {
 public:
  // The result of a step: when the next step is due.
  struct Next {
    static constexpr Next Now() { return {std::chrono::milliseconds(0), false}; }
    // After this rest, or earlier when Wake is called.
    static constexpr Next After(std::chrono::milliseconds rest) { return {rest, false}; }
    static constexpr Next WhenWoken() { return {std::chrono::milliseconds::max(), false}; }
    // No further step.
    static constexpr Next Done() { return {std::chrono::milliseconds::max(), true}; }

    std::chrono::milliseconds rest;
    bool done;
  };

  // Joins.
  virtual ~Worker() = default;
  // Makes the next step due. Any thread.
  virtual void Wake() = 0;
  // Waits until a step has returned Done. The owner must cause that first.
  virtual void Join() = 0;
};

class Workers {
 public:
  virtual ~Workers() = default;

  // Calls `step` repeatedly. Calls of one worker never overlap. `name` names its thread and has at most 15 characters.
  virtual std::unique_ptr<Worker> Start(const char* name, std::function<Worker::Next()> step) = 0;
  // Waits until done() is true. The worker that makes it true notifies `changed`. `hold` guards what done() reads.
  virtual void Await(std::unique_lock<std::mutex>* hold, std::condition_variable* changed, const std::function<bool()>& done) = 0;
};

// Workers that have a thread each.
Workers& Threads();

}  // namespace attune
