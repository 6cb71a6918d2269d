#include "base/hash.h"
#include "base/sha256.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Hash, Crc32cMatchesTheVectorsOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c("456789", Crc32c("123")), Crc32c("123456789"));
}

TEST(Hash, Sha256PieceByPieceIsThatOfTheWhole) {
  Sha256Stream stream;
  for (const std::string_view piece : {"a", "", "bc"}) stream.Add(piece);
  EXPECT_EQ(ToHex(stream.Finish()), ToHex(Sha256("abc")));
}

TEST(Hash, Sha256MatchesTheVectorOfFips180) {
  EXPECT_EQ(ToHex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, Xxh3IsTheOneThatIsPublished) {
  EXPECT_EQ(Hash64(""), 0x2D06800538D394C2ull);
  EXPECT_EQ(ToHex(Hash128("")), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, RandomTokensHaveTheirLengthAndDiffer) {
  EXPECT_EQ(RandomToken().size(), 43u);
  EXPECT_NE(RandomToken(), RandomToken());
}

}  // namespace
}  // namespace attune
