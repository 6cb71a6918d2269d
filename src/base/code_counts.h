// How often each code occurred.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/code.h"

namespace attune {

// Any thread.
class CodeCounts {
 public:
  void Count(Code code) { counts_[static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed); }
  uint64_t of(Code code) const { return counts_[static_cast<size_t>(code)].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kCodeCount> counts_{};
};

}  // namespace attune
