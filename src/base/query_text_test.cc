#include "base/query_text.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(QueryText, DecodesEscapesAndPlusSigns) {
  EXPECT_EQ(DecodeQueryText("a+b%2Bc%20d"), "a b+c d");
  EXPECT_EQ(DecodeQueryText("100%"), "100%");
  EXPECT_EQ(DecodeQueryText("%zz%2"), "%zz%2");
}

TEST(QueryText, FindsTheFirstParameterOfAName) {
  constexpr std::string_view kQuery = "a=1&b&a=2&&c=x%26y&na%6De=z";
  EXPECT_EQ(QueryParameter(kQuery, "a"), "1");
  EXPECT_EQ(QueryParameter(kQuery, "b"), "");
  EXPECT_EQ(QueryParameter(kQuery, "c"), "x&y");
  EXPECT_EQ(QueryParameter(kQuery, "name"), "z");
  EXPECT_EQ(QueryParameter(kQuery, "d"), std::nullopt);
  EXPECT_EQ(QueryParameters(kQuery).size(), 5u);
}

}  // namespace
}  // namespace attune
