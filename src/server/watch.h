// Tells the journal what changes in a server that runs: its storage, its clock, and its plan.
#pragma once

#include "shard/runtime.h"

namespace attune {

class ServiceWatch {
 public:
  // `runtime` must outlive it.
  explicit ServiceWatch(Runtime* runtime) : runtime_(*runtime) {}

  // To be called a few times a second.
  void Look();

 private:
  Runtime& runtime_;
  bool full_ = false;
  bool failed_ = false;
  bool leapt_ = false;
  PlanProgress::State plan_ = PlanProgress::State::kNone;
  uint64_t fingerprint_ = 0;
};

}  // namespace attune
