#include "log/shard_of.h"

#include <cstring>

namespace attune {

uint32_t Murmur2(std::string_view bytes) {
  constexpr uint32_t kMultiply = 0x5bd1e995;
  const char* at = bytes.data();
  size_t left = bytes.size();
  uint32_t hash = 0x9747b28c ^ static_cast<uint32_t>(left);
  for (; left >= 4; at += 4, left -= 4) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    word *= kMultiply;
    word ^= word >> 24;
    word *= kMultiply;
    hash = hash * kMultiply ^ word;
  }
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(at[i])); };
  if (left == 3) hash ^= byte(2) << 16;
  if (left >= 2) hash ^= byte(1) << 8;
  if (left >= 1) hash = (hash ^ byte(0)) * kMultiply;
  hash ^= hash >> 13;
  hash *= kMultiply;
  return hash ^ hash >> 15;
}

uint8_t ShardOf(std::string_view user) { return static_cast<uint8_t>((Murmur2(user) & 0x7fffffff) % kShards); }

}  // namespace attune
