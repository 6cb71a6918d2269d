#include "log/shard_of.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

// The test vectors of Kafka's own partitioner test (org.apache.kafka.common.utils, murmur2).
TEST(ShardOf, HashesAsKafkaDoes) {
  constexpr struct {
    const char* text;
    int32_t hash;
  } kVectors[] = {{"21", -973932308},
                  {"foobar", -790332482},
                  {"a-little-bit-long-string", -985981536},
                  {"a-little-bit-longer-string", -1486304829},
                  {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                  {"abc", 479470107}};
  for (const auto& [text, hash] : kVectors) EXPECT_EQ(static_cast<int32_t>(Murmur2(text)), hash) << text;
}

TEST(ShardOf, StaysWithinTheShards) { EXPECT_LT(ShardOf("ann"), kShards); }

}  // namespace
}  // namespace attune
