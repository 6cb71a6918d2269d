#include "access/write_key.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(WriteKey, IsFoundWhereverClientsPutIt) {
  const struct {
    KeySources sources;
    const char* key;
  } kCases[] = {
      {{}, ""},
      {{.authorization = "Basic V0s6"}, "WK"},  // as Segment's libraries send it
      {{.authorization = "basic  V0s6cGFzcw=="}, "WK"},
      {{.authorization = "Basic V0s"}, "WK"},
      {{.authorization = "Bearer abc.def"}, "abc.def"},
      {{.authorization = "Basic ???", .body = "B"}, "B"},
      {{.authorization = "Digest x", .x_write_key = "id:secret"}, "id:secret"},
      {{.x_api_key = "K", .body = "B"}, "K"},
      {{.authorization = "Basic V0s6", .body = "B"}, "WK"},
      {{.body = "B", .query = "writeKey=Q"}, "B"},
      {{.query = "p=npm&writeKey=a%2Bb&v=1"}, "a+b"},
      {{.query = "token=T&api_secret=S"}, "S"},
      {{.query = "writeKey=&token=T"}, "T"},
      {{.query = "WRITEKEY=x&key=y"}, ""},
  };
  for (const auto& [sources, key] : kCases) EXPECT_EQ(FindWriteKey(sources), key);
}

}  // namespace
}  // namespace attune
