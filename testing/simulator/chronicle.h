// What happens in a life, in words, and the first promise that is broken.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

#include "simulator/simulation.h"

namespace attune::simulate {

class Chronicle {
 public:
  // `trace` is told of each thing that happens; empty: nobody asks.
  explicit Chronicle(std::function<void(const std::string& what)> trace)
      : trace_(std::move(trace)) {}

  bool traced() const { return trace_ != nullptr; }
  template <typename... Arguments>
  void Tell(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    if (trace_) trace_(fmt::format(text, std::forward<Arguments>(arguments)...));
  }

  // Always false, so that whoever finds something can return it. Only the first failure counts.
  bool Fail(Promise promise, std::string what) {
    Tell("FAILED ({}): {}", NameOf(promise), what);
    if (failure_.empty()) {
      broken_ = promise;
      failure_ = std::move(what);
    }
    return false;
  }
  bool ok() const { return failure_.empty(); }
  Promise broken() const { return broken_; }
  const std::string& failure() const { return failure_; }

 private:
  std::function<void(const std::string& what)> trace_;
  Promise broken_ = Promise::kNone;
  std::string failure_;
};

}  // namespace attune::simulate
