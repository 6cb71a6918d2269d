#include <gtest/gtest.h>

#include "crypto/random_token.h"
#include "crypto/sha256.h"

namespace attune {
namespace {

TEST(Sha256, PieceByPieceIsThatOfTheWhole) {
  Sha256Stream stream;
  for (const std::string_view piece : {"a", "", "bc"}) stream.Add(piece);
  EXPECT_EQ(ToHex(stream.Finish()), ToHex(Sha256("abc")));
}

TEST(Sha256, MatchesTheVectorOfFips180) {
  EXPECT_EQ(ToHex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(RandomToken, TokensHaveTheirLengthAndDiffer) {
  EXPECT_EQ(RandomToken().size(), 43u);
  EXPECT_NE(RandomToken(), RandomToken());
}

}  // namespace
}  // namespace attune
