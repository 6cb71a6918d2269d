// Maps a user to its shard. The mapping never changes, and is the same on Kafka.
#pragma once

#include <cstdint>
#include <string_view>

namespace attune {

inline constexpr int kShards = 64;

// Kafka's default partitioner (`murmur2_random`) over 64 partitions: (murmur2(user) & 0x7fffffff) mod 64.
uint8_t ShardOf(std::string_view user);

// Austin Appleby's MurmurHash2 with Kafka's seed.
uint32_t Murmur2(std::string_view bytes);

}  // namespace attune
