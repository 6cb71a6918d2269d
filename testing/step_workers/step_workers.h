// Workers without threads: the test or the simulator executes each step on its own thread. So a seed determines the
// order, and the same seed reproduces it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/workers.h"

namespace attune {

class StepWorkers : public Workers {
 public:
  // Picks one of `count` workers that can move, for calls that must wait (Join, Await). Empty: each in turn.
  explicit StepWorkers(std::function<size_t(size_t)> pick = nullptr) : pick_(std::move(pick)) {}

  std::unique_ptr<Worker> Start(const char* name, std::function<Worker::Next()> step) override;
  // Executes steps until done(). If no worker can move, `stuck` is called, which must not return.
  void Await(std::unique_lock<std::mutex>* hold, std::condition_variable* changed, const std::function<bool()>& done) override;

  // Workers that have not ended and can move, in the order of their starts. Others wait until they are woken.
  struct Mover {
    std::string name;
    size_t id;
  };
  std::vector<Mover> Movers() const;
  std::vector<Mover> All() const;
  // Whether it has work to do now, as far as its last result shows.
  bool IsBusy(size_t id) const;
  // Executes one step of a mover. Returns false if it cannot move any more.
  bool Step(size_t id);
  uint64_t steps() const { return steps_; }

  void set_stuck(std::function<void(const std::string& waiting)> stuck) { stuck_ = std::move(stuck); }

 private:
  class Stepped;
  struct Entry {
    std::string name;
    size_t id;
    Stepped* worker;  // null: it was destroyed
  };

  Stepped* Find(size_t id) const;
  // Executes a step of some worker with work to do. Returns false if there is none.
  bool StepBusy();
  // Executes a step of one that can move.
  bool StepResting();
  void Stuck(const std::string& waiting);

  std::function<size_t(size_t)> pick_;
  std::function<void(const std::string&)> stuck_;
  std::vector<Entry> entries_;
  size_t next_id_ = 0;
  size_t turn_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace attune
