#include "access/rate_limits.h"

#include <cmath>
#include <string>

#include "base/hash.h"
#include "base/network.h"
#include "crypto/random_token.h"

namespace attune {
namespace {

double BurstOf(double rate) { return std::max(rate, 1.0); }

}  // namespace

RateLimits::RateLimits(const RateOptions& options) : options_(options), seed_(Hash64(RandomToken())) {
  if (options_.per_network > 0) networks_.resize(kNetworks);
}

std::optional<int> RateLimits::PauseOf(TokenBucket* bucket, double rate, int64_t now_ms) {
  bucket->Fill(rate, BurstOf(rate), now_ms);
  if (bucket->tokens >= 1) return std::nullopt;
  return static_cast<int>(std::clamp(std::ceil((1 - bucket->tokens) / rate), 1.0, double{kMaxPauseSeconds}));
}

TokenBucket& RateLimits::BucketOfKey(std::string_view key, int64_t now_ms) {
  return keys_.try_emplace(Hash64(key, seed_), TokenBucket{BurstOf(options_.per_key), now_ms}).first->second;
}

TokenBucket& RateLimits::BucketOfNetwork(std::string_view address, int64_t now_ms) {
  const uint64_t tag = Hash64(NetworkOf(address), seed_) | 1;
  Network* const set = &networks_[(tag >> 32) % (kNetworks / kWays) * kWays];
  Network* fullest = set;
  for (Network* network = set; network < set + kWays; ++network) {
    if (network->tag == tag) return network->bucket;
    if (network->tag == 0) {
      fullest = network;
      break;
    }
    network->bucket.Fill(options_.per_network, BurstOf(options_.per_network), now_ms);
    if (network->bucket.tokens > fullest->bucket.tokens) fullest = network;
  }
  *fullest = {tag, {BurstOf(options_.per_network), now_ms}};
  return fullest->bucket;
}

std::optional<int> RateLimits::PauseOfKey(std::string_view key, int64_t now_ms) {
  if (options_.per_key <= 0) return std::nullopt;
  const std::lock_guard hold(mutex_);
  return PauseOf(&BucketOfKey(key, now_ms), options_.per_key, now_ms);
}

std::optional<int> RateLimits::PauseOfNetwork(std::string_view address, int64_t now_ms) {
  if (options_.per_network <= 0) return std::nullopt;
  const std::lock_guard hold(mutex_);
  return PauseOf(&BucketOfNetwork(address, now_ms), options_.per_network, now_ms);
}

void RateLimits::Charge(std::string_view key, std::string_view address, size_t events, int64_t now_ms) {
  if (options_.per_key <= 0 && options_.per_network <= 0) return;
  const std::lock_guard hold(mutex_);
  const auto draw = [&](TokenBucket& bucket, double rate) {
    bucket.Fill(rate, BurstOf(rate), now_ms);
    bucket.tokens -= static_cast<double>(events);
  };
  if (options_.per_key > 0 && !key.empty()) draw(BucketOfKey(key, now_ms), options_.per_key);
  if (options_.per_network > 0) draw(BucketOfNetwork(address, now_ms), options_.per_network);
}

}  // namespace attune
