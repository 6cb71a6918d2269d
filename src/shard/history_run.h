// A history run through the engine as fast as it goes: replay, and the tests that hold the engine to the oracle.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/engine.h"

namespace attune {

// Each user's clock is moved by her own records alone, so that the order of different users in a file never matters.
// One thread; users may be spread over several runs.
class HistoryRun {
 public:
  struct Sink {
    std::function<void(const Transition&)> transition;
    std::function<void(const TriggerFiring&)> firing;
    // The user as she was known when her clock passed `at`; the engine may be asked for values at that instant.
    std::function<void(Millis at, const UserState& user)> values;
  };

  // `at`: instants to show everyone at, in any order.
  HistoryRun(std::shared_ptr<const Program> program, std::vector<Millis> at, Sink sink);

  Applied Apply(const Record& record);
  // Lets every user's clock run to `until`, that instant included, and shows what was asked for beyond it.
  void Finish(Millis until);

  Engine& engine() { return engine_; }

 private:
  void PassInstants(UserState* user, Millis before);
  void Emit();

  Engine engine_;
  std::vector<Millis> at_;
  std::vector<uint32_t> next_at_;  // by the user's slot: the first of at_ that her clock has not passed
  Sink sink_;
  Effects effects_;
};

}  // namespace attune
