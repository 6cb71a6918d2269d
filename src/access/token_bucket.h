// Limits an average rate.
#pragma once

#include <algorithm>
#include <cstdint>

namespace attune {

// Fills with `rate` tokens a second up to `burst`. The balance may become negative; it must then fill first. Time is
// that of any monotonic clock, in milliseconds.
struct TokenBucket {
  void Fill(double rate, double burst, int64_t now_ms) {
    tokens = std::min(burst, tokens + rate * static_cast<double>(std::max<int64_t>(0, now_ms - filled_ms)) / 1000);
    filled_ms = std::max(filled_ms, now_ms);
  }

  double tokens = 0;
  int64_t filled_ms = 0;
};

}  // namespace attune
