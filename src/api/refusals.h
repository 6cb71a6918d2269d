// Which refused requests are kept: so many that one sees what is wrong, so few that they never fill the disk.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "access/token_bucket.h"
#include "base/code.h"
#include "base/hash.h"

namespace attune {

// How often each code was sent. Any thread.
class CodeCounts {
 public:
  void Count(Code code) { counts_[static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed); }
  uint64_t of(Code code) const { return counts_[static_cast<size_t>(code)].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, kCodeCount> counts_{};
};

// Any thread.
class Refusals {
 public:
  static constexpr double kKeptPerSecond = 20;   // of each write key
  static constexpr double kKeptAtOnce = 100;
  static constexpr size_t kBytesOfOne = 4 << 10;  // a larger body counts as several

  // Whether one more, of a key that somebody holds, may be kept.
  bool MayKeep(std::string_view key, size_t bytes, int64_t now_ms) {
    const std::lock_guard hold(mutex_);
    TokenBucket& bucket = buckets_.try_emplace(Hash64(key), TokenBucket{kKeptAtOnce, now_ms}).first->second;
    bucket.Fill(kKeptPerSecond, kKeptAtOnce, now_ms);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1 + static_cast<double>(bytes / kBytesOfOne);
    return true;
  }

 private:
  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, TokenBucket> buckets_;
};

}  // namespace attune
