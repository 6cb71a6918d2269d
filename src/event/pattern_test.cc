#include "event/pattern.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Pattern, FindsAnywhereUnlessAnchored) {
  const auto pattern = Pattern::Compile("b+c$").value();
  EXPECT_TRUE(pattern->Matches("abbc"));
  EXPECT_FALSE(pattern->Matches("abbcd"));
}

TEST(Pattern, GivesItsGroups) {
  const auto pattern = Pattern::Compile(R"((?P<a>\d+)(x)?-(?P<b>\w*))").value();
  EXPECT_EQ(pattern->GroupNames(), (std::vector<std::string>{"a", "", "b"}));
  std::string_view groups[3];
  ASSERT_TRUE(pattern->MatchesWhole("12-", groups));
  EXPECT_EQ(groups[0], "12");
  EXPECT_EQ(groups[1].data(), nullptr);
  EXPECT_EQ(groups[2], "");
  EXPECT_FALSE(pattern->MatchesWhole("12-a!", groups));
}

TEST(Pattern, RefusesWhatCannotBeMatchedInLinearTime) {
  for (const char* regex : {"(a)\\1", "(?=a)", "(", "a{1000}{1000}"})
    EXPECT_FALSE(Pattern::Compile(regex).ok()) << regex;
  EXPECT_FALSE(Pattern::Compile(std::string(1001, 'a')).ok());
}

}  // namespace
}  // namespace attune
