// Workers without threads: each step is taken when the test or the simulator says so, on its own thread. So what happens
// next is drawn from a seed, and happens again with it.
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
  // Picks one of so many workers that can move: for what must wait (Join, Await). Empty: each in turn.
  explicit StepWorkers(std::function<size_t(size_t)> pick = nullptr) : pick_(std::move(pick)) {}

  std::unique_ptr<Worker> Start(const char* name, std::function<Worker::Next()> step) override;
  // Takes steps until done(). Nobody else can move: `stuck` is called, which must not return.
  void Await(std::unique_lock<std::mutex>* hold, std::condition_variable* changed, const std::function<bool()>& done) override;

  // Those that have not ended, in the order of their starts, and can move: others wait to be woken.
  struct Mover {
    std::string name;
    size_t id;
  };
  std::vector<Mover> Movers() const;
  std::vector<Mover> All() const;
  // Whether it has something to do at once, as far as it has said.
  bool IsBusy(size_t id) const;
  // Takes one step of a mover; false: it can not move any more.
  bool Step(size_t id);
  uint64_t steps() const { return steps_; }

  void set_stuck(std::function<void(const std::string& waiting)> stuck) { stuck_ = std::move(stuck); }

 private:
  class Stepped;
  struct Entry {
    std::string name;
    size_t id;
    Stepped* worker;  // null: it is gone
  };

  Stepped* Find(size_t id) const;
  // A step of some worker that has something to do; false: none has.
  bool StepBusy();
  // A step of one that can move.
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
