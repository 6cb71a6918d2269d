// Limits which refused requests are kept: enough to find the mistake, but too few to fill the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "access/token_bucket.h"
#include "base/hash.h"

namespace attune {

// Any thread.
class RefusalBudget {
 public:
  static constexpr double kKeptPerSecond = 20;  // of each write key
  static constexpr double kKeptAtOnce = 100;
  static constexpr size_t kBytesOfOne = 4 << 10;  // a larger body counts as several

  // Whether one more request of the key may be kept. If so, it is charged. `key` must be valid: the number of keys is
  // not limited here.
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
