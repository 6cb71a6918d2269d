#include "event/fold.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "event/code_point.h"
#include "event/pattern.h"

namespace attune {
namespace {

std::string Text(uint32_t code) {
  std::string text;
  AppendCodePoint(code, &text);
  return text;
}

TEST(Fold, TextIsTheSameWhateverItsCase) {
  constexpr struct {
    const char* a;
    const char* b;
  } kSame[] = {
      {"", ""},
      {"Dresses", "DRESSES"},
      {"ŁÓDŹ", "łódź"},
      {"Straße", "STRAẞE"},
      {"Σίσυφος", "ΣΊΣΥΦΟΣ"},
      {"ЁЛКА", "ёлка"},
      {"ՀԱՅԱՍՏԱՆ", "հայաստան"},
      {"THÊM VÀO GIỎ", "thêm vào giỏ"},
      {"273 \u212A", "273 k"},
      {"a\xFF", "A\xFF"},
  };
  for (const auto& [a, b] : kSame) {
    EXPECT_TRUE(EqualsIgnoringCase(a, b)) << a << " " << b;
    EXPECT_TRUE(EqualsIgnoringCase(b, a)) << a << " " << b;
    EXPECT_TRUE(ContainsIgnoringCase("x" + std::string(a) + "x", b)) << a << " " << b;
  }
}

TEST(Fold, AndNothingElseIs) {
  constexpr struct {
    const char* a;
    const char* b;
  } kOther[] = {
      {"a", ""},  {"a", "aa"}, {"STRASSE", "straße"}, {"Lodz", "Łódź"}, {"I", "\u0131"},
      {"@", "`"}, {"[", "{"},  {"\xC3", "\xC4"},
  };
  for (const auto& [a, b] : kOther) {
    EXPECT_FALSE(EqualsIgnoringCase(a, b)) << a << " " << b;
    EXPECT_FALSE(EqualsIgnoringCase(b, a)) << a << " " << b;
  }
  EXPECT_FALSE(ContainsIgnoringCase("ŁÓD", "łódź"));
  EXPECT_TRUE(ContainsIgnoringCase("w ŁODZI i ŁÓDŹ", "łódź"));
  EXPECT_TRUE(ContainsIgnoringCase("any", ""));
}

// Compares every letter that folds with RE2: it matches exactly the letters that fold alike.
TEST(Fold, AgreesWithTheRegularExpressions) {
  std::map<uint32_t, std::vector<uint32_t>> alike;
  for (uint32_t code = 0; code < 0x1F000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    EXPECT_EQ(Folded(Folded(code)), Folded(code));
    EXPECT_TRUE(SmallLetter(code) == code || SmallLetter(code) == Folded(code));
    if (Folded(code) != code) alike[Folded(code)].push_back(code);
  }
  EXPECT_GT(alike.size(), 1300u);
  for (const auto& [folded, others] : alike) {
    const auto pattern = Pattern::Compile("(?i)^" + Text(folded) + "$");
    ASSERT_TRUE(pattern.ok());
    EXPECT_TRUE((*pattern)->Matches(Text(folded)));
    for (const uint32_t other : others) EXPECT_TRUE((*pattern)->Matches(Text(other))) << std::hex << other;
    const auto next = alike.upper_bound(folded);
    if (next == alike.end()) continue;
    EXPECT_FALSE((*pattern)->Matches(Text(next->first))) << std::hex << folded;
    for (const uint32_t other : next->second) EXPECT_FALSE((*pattern)->Matches(Text(other))) << std::hex << other;
  }
}

}  // namespace
}  // namespace attune
