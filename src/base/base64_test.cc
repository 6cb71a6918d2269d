#include "base/base64.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

// RFC 4648, section 10, and bytes that use the last characters of the alphabet.
TEST(Base64, EncodesAndDecodes) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},         {"foo", "Zm9v"},          {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}, {std::string_view("\0\0", 2), "AAA="},
  };
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(ToBase64(bytes), text);
    EXPECT_EQ(FromBase64(text), bytes);
  }
  EXPECT_EQ(FromBase64("__77"), "\xff\xfe\xfb");
  EXPECT_EQ(FromBase64("Zg"), "f");
  EXPECT_EQ(FromBase64("Z!=="), "");
}

}  // namespace
}  // namespace attune
