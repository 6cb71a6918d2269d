// Work that goes on beside its callers: on a thread of its own where attune serves; step by step, in an order that it
// draws, in the simulator.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

namespace attune {

class Worker {
 public:
  // What a step returns: when the next one is due.
  struct Next {
    static constexpr Next Now() { return {std::chrono::milliseconds(0), false}; }
    // Or as soon as Wake is called.
    static constexpr Next After(std::chrono::milliseconds rest) { return {rest, false}; }
    static constexpr Next WhenWoken() { return {std::chrono::milliseconds::max(), false}; }
    // Never again.
    static constexpr Next Done() { return {std::chrono::milliseconds::max(), true}; }

    std::chrono::milliseconds rest;
    bool done;
  };

  // Join.
  virtual ~Worker() = default;
  // There is something to do. Any thread.
  virtual void Wake() = 0;
  // Waits until a step has returned Done. The owner must make it do so first.
  virtual void Join() = 0;
};

class Workers {
 public:
  virtual ~Workers() = default;

  // Calls `step` repeatedly; the calls of one worker never overlap. `name` is what the thread is called, at most 15
  // characters.
  virtual std::unique_ptr<Worker> Start(const char* name, std::function<Worker::Next()> step) = 0;
  // Waits until done(), which some worker brings about: it notifies `changed`. `hold` guards what done() reads.
  virtual void Await(std::unique_lock<std::mutex>* hold, std::condition_variable* changed, const std::function<bool()>& done) = 0;
};

// Each worker has a thread.
Workers& Threads();

}  // namespace attune
