#include "event/json_string.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(JsonString, DecodesItsText) {
  EXPECT_EQ(TextOfJsonString("\"\""), "");
  EXPECT_EQ(TextOfJsonString(" \"a/b\" \n"), "a/b");
  EXPECT_EQ(TextOfJsonString(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(TextOfJsonString(R"("\u0041\u00e4\u20ac\ud83d\ude00\u0000")"),
            std::string("A\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\0", 11));
  EXPECT_EQ(TextOfJsonString("\"\xC3\xA4\""), "\xC3\xA4");
  for (const char* json : {"", "1", "null", "[]", "\"", "\"a", "\"a\" 1", "\"\\x\"", "\"\\ud83d\"", "\"\xFF\""}) {
    EXPECT_EQ(TextOfJsonString(json), std::nullopt) << json;
  }
}

}  // namespace
}  // namespace attune
