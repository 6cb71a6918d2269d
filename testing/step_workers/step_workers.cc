#include "step_workers/step_workers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace attune {
namespace {

// Steps of workers that only check whether something is due, after which more are pointless.
constexpr int kMostIdle = 1'000;

}  // namespace

class StepWorkers::Stepped : public Worker {
 public:
  Stepped(StepWorkers* owner, size_t id, std::string name, std::function<Next()> step)
      : owner_(*owner), id_(id), name_(std::move(name)), step_(std::move(step)) {}
  ~Stepped() override {
    Join();
    std::erase_if(owner_.entries_, [&](const Entry& entry) { return entry.id == id_; });
  }

  void Wake() override { woken_ = true; }

  void Join() override {
    for (int idle = 0; !done_;) {
      if (IsBusy()) {
        idle = 0;
        Step();
      } else if (owner_.StepBusy()) {
        idle = 0;
      } else if (CanMove() && ++idle < kMostIdle) {
        Step();
      } else {
        owner_.Stuck(name_ + " does not end");
      }
    }
  }

  bool CanMove() const { return !done_ && !stepping_ && (woken_ || rests_); }
  // Whether it has work to do now, as far as its last result shows.
  bool IsBusy() const { return CanMove() && (woken_ || busy_); }

  void Step() {
    woken_ = false;
    stepping_ = true;
    const Next next = step_();
    stepping_ = false;
    done_ = next.done;
    rests_ = next.rest != std::chrono::milliseconds::max();
    busy_ = next.rest.count() == 0;
    ++owner_.steps_;
  }

 private:
  StepWorkers& owner_;
  const size_t id_;
  const std::string name_;
  const std::function<Next()> step_;
  bool woken_ = true;
  bool rests_ = true;  // it becomes due without Wake
  bool busy_ = true;
  bool done_ = false;
  bool stepping_ = false;
};

std::unique_ptr<Worker> StepWorkers::Start(const char* name, std::function<Worker::Next()> step) {
  auto worker = std::make_unique<Stepped>(this, next_id_, name, std::move(step));
  entries_.push_back({name, next_id_++, worker.get()});
  return worker;
}

void StepWorkers::Await(std::unique_lock<std::mutex>* hold, std::condition_variable*, const std::function<bool()>& done) {
  for (int idle = 0; !done();) {
    hold->unlock();
    const bool busy = StepBusy();
    idle = busy ? 0 : idle + 1;
    const bool moved = busy || (idle < kMostIdle && StepResting());
    hold->lock();
    if (!moved && !done()) Stuck("what is awaited does not come");
  }
}

std::vector<StepWorkers::Mover> StepWorkers::Movers() const {
  std::vector<Mover> movers;
  for (const Entry& entry : entries_) {
    if (entry.worker->CanMove()) movers.push_back({entry.name, entry.id});
  }
  return movers;
}

StepWorkers::Stepped* StepWorkers::Find(size_t id) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.id == id; });
  return found == entries_.end() ? nullptr : found->worker;
}

bool StepWorkers::Step(size_t id) {
  Stepped* worker = Find(id);
  if (!worker || !worker->CanMove()) return false;
  worker->Step();
  return true;
}

std::vector<StepWorkers::Mover> StepWorkers::All() const {
  std::vector<Mover> all;
  for (const Entry& entry : entries_) all.push_back({entry.name, entry.id});
  return all;
}

bool StepWorkers::IsBusy(size_t id) const {
  const Stepped* worker = Find(id);
  return worker && worker->IsBusy();
}

bool StepWorkers::StepBusy() {
  std::vector<size_t> ready;
  for (const Entry& entry : entries_) {
    if (entry.worker->IsBusy()) ready.push_back(entry.id);
  }
  if (ready.empty()) return false;
  return Step(ready[pick_ ? pick_(ready.size()) : turn_++ % ready.size()]);
}

bool StepWorkers::StepResting() {
  const auto movers = Movers();
  return !movers.empty() && Step(movers[turn_++ % movers.size()].id);
}

void StepWorkers::Stuck(const std::string& waiting) {
  if (stuck_) stuck_(waiting);
  std::fprintf(stderr, "StepWorkers: nobody can move, and %s\n", waiting.c_str());
  std::abort();
}

}  // namespace attune
