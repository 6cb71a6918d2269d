#include "base/hash.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Hash, Crc32cMatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c("456789", Crc32c("123")), Crc32c("123456789"));
}

TEST(Hash, Xxh3IsTheOneThatIsPublished) {
  EXPECT_EQ(Hash64(""), 0x2D06800538D394C2ull);
  EXPECT_EQ(ToHex(Hash128("")), "99aa06d3014798d86001c324468d497f");
}

}  // namespace
}  // namespace attune
