// How many events a write key, and a network of clients, may send.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "access/token_bucket.h"

namespace attune {

struct RateOptions {
  double per_key = 0;      // events a second; 0: as many as come
  double per_network = 0;  // of the clients of one network: /24 of IPv4, /48 of IPv6; 0: as many as come
};

// A bucket for each, which holds what comes in one second (one event at the least). Whoever has an event's worth may
// send a request of any size and pays for all of its events, so a batch larger than the bucket is possible, and makes a
// longer pause. Any thread; `now_ms` is of a clock that does not go back.
class RateLimits {
 public:
  // So long the pause that is asked for may be: client libraries cap theirs there.
  static constexpr int kMaxPauseSeconds = 300;
  // Networks that are remembered. Beyond them those that sent least are forgotten.
  static constexpr size_t kNetworks = 1 << 16;

  explicit RateLimits(const RateOptions& options);

  const RateOptions& options() const { return options_; }

  // nullopt: may send now. Otherwise the seconds, 1 to kMaxPauseSeconds, after which it is worth trying.
  std::optional<int> PauseOfKey(std::string_view key, int64_t now_ms);
  std::optional<int> PauseOfNetwork(std::string_view address, int64_t now_ms);
  // `key` must be one that somebody holds, or empty: the keys are not bounded here.
  void Charge(std::string_view key, std::string_view address, size_t events, int64_t now_ms);

 private:
  struct Network {
    uint64_t tag = 0;  // 0: free
    TokenBucket bucket;
  };
  static constexpr size_t kWays = 4;  // networks whose hashes lead to one place

  static std::optional<int> PauseOf(TokenBucket* bucket, double rate, int64_t now_ms);
  TokenBucket& BucketOfKey(std::string_view key, int64_t now_ms);
  TokenBucket& BucketOfNetwork(std::string_view address, int64_t now_ms);

  const RateOptions options_;
  const uint64_t seed_;  // so that nobody can choose networks that lead to one place
  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, TokenBucket> keys_;
  std::vector<Network> networks_;
};

}  // namespace attune
