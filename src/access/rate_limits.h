// The number of events that a write key, and a network of clients, may send.
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
  double per_key = 0;      // events a second; 0: unlimited
  double per_network = 0;  // of the clients of one network: /24 of IPv4, /48 of IPv6; 0: unlimited
};

// One bucket for each, which holds the events of one second (at least one). If a bucket holds at least one event, a
// request of any size may be sent, and all of its events are charged. So a batch may exceed the bucket; the pause after
// it is longer. Any thread; `now_ms` is of a monotonic clock.
class RateLimits {
 public:
  // The longest pause in an answer: client libraries cap theirs here.
  static constexpr int kMaxPauseSeconds = 300;
  // The number of networks that are remembered. Beyond it, those that sent least are forgotten.
  static constexpr size_t kNetworks = 1 << 16;

  explicit RateLimits(const RateOptions& options);

  const RateOptions& options() const { return options_; }

  // nullopt: the client may send now. Otherwise the seconds, 1 to kMaxPauseSeconds, after which it should retry.
  std::optional<int> PauseOfKey(std::string_view key, int64_t now_ms);
  std::optional<int> PauseOfNetwork(std::string_view address, int64_t now_ms);
  // `key` must be a valid key or empty: the number of keys is not limited here.
  void Charge(std::string_view key, std::string_view address, size_t events, int64_t now_ms);

 private:
  struct Network {
    uint64_t tag = 0;  // 0: free
    TokenBucket bucket;
  };
  static constexpr size_t kWays = 4;  // entries that one hash can use

  static std::optional<int> PauseOf(TokenBucket* bucket, double rate, int64_t now_ms);
  TokenBucket& BucketOfKey(std::string_view key, int64_t now_ms);
  TokenBucket& BucketOfNetwork(std::string_view address, int64_t now_ms);

  const RateOptions options_;
  const uint64_t seed_;  // so that clients cannot choose networks that collide
  std::mutex mutex_;
  absl::flat_hash_map<uint64_t, TokenBucket> keys_;
  std::vector<Network> networks_;
};

}  // namespace attune
