// A study is work that takes minutes: a question over the whole stored history, or the replay of dead letters.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "base/code.h"

namespace attune {

// How far a study has come, in units of its own, and whether it should end early. Any thread may read it and cancel;
// one thread computes.
struct StudyProgress {
  std::atomic<uint64_t> done{0};
  std::atomic<uint64_t> total{0};  // 0: not known yet
  std::atomic<bool> cancelled{false};
};

// How a study ended: with a result, or with a failure.
struct StudyOutcome {
  struct Failure {
    Code code = Code::kInternalError;
    std::string detail{};
    int retry_seconds = 0;  // when to try again; 0: not known
  };

  std::string result;  // JSON, unless is_text
  std::optional<Failure> failure{};
  bool is_text = false;
};

}  // namespace attune
