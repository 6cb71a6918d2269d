#include "history/time_pattern.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(TimePattern, ReadsWhatFits) {
  constexpr struct {
    const char* text;
    const char* pattern;
    const char* time;
  } kTimes[] = {
      {"19970101", "%Y%m%d", "1997-01-01T00:00:00.000Z"},
      {"17/May/2015:10:05:03 +0200", "%d/%b/%Y:%H:%M:%S %z", "2015-05-17T08:05:03.000Z"},
      {"2019-10-01 00:00:01 UTC", "%Y-%m-%d %H:%M:%S %Z", "2019-10-01T00:00:01.000Z"},
      {"3.7.08  9:05", "%e.%m.%y %H:%M", "2008-07-03T09:05:00.000Z"},
      {"31/12/69", "%d/%m/%y", "1969-12-31T00:00:00.000Z"},
      {"2026-03-01T10:00:00.1239-05:30", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-03-01T15:30:00.123Z"},
      {"100% 2026", "100%% %Y", "2026-01-01T00:00:00.000Z"},
  };
  for (const auto& [text, pattern, time] : kTimes) {
    const auto read = ParseTimePattern(text, pattern);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(FormatRfc3339(*read), time) << text;
    EXPECT_EQ(CheckTimePattern(pattern), "");
  }
}

TEST(TimePattern, RefusesWhatDoesNot) {
  constexpr struct {
    const char* text;
    const char* pattern;
  } kTimes[] = {
      {"", "%Y"},
      {"1997", "%Y%m"},
      {"19971301", "%Y%m%d"},
      {"19970229", "%Y%m%d"},
      {"1997x", "%Y"},
      {"17/Mai/2015", "%d/%b/%Y"},
      {"2019 CET", "%Y %Z"},
      {"2019 25", "%Y %H"},
      {"2019 +9", "%Y %z"},
  };
  for (const auto& [text, pattern] : kTimes) EXPECT_EQ(ParseTimePattern(text, pattern), std::nullopt) << text;
  for (const char* pattern : {"%H:%M", "%Y%", "%Q%Y", "%Y %Y"}) EXPECT_NE(CheckTimePattern(pattern), "") << pattern;
}

}  // namespace
}  // namespace attune
