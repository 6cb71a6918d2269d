#include "plan/trigger_settings.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(TriggerSettings, QuietHoursAreTwoTimesOfDay) {
  constexpr struct { const char* text; int from, to; } kGood[] = {
      {"22:00-08:00", 1320, 480}, {"8:30 - 17:05", 510, 1025}, {"00:00-06:00", 0, 360}, {"18:00-24:00", 1080, 1440}};
  for (const auto& [text, from, to] : kGood) {
    const auto hours = ParseQuietHours(text);
    ASSERT_TRUE(hours) << text;
    EXPECT_EQ(hours->from, from) << text;
    EXPECT_EQ(hours->to, to) << text;
  }
  for (const char* text : {"", "22:00", "22-8", "22:00-22:00", "00:00-24:00", "24:00-06:00", "25:00-08:00", "22:60-08:00", "22:00-08:00-09:00",
                           "-1:00-08:00", "22:0-8:00", "022:00-8:00", "10pm-8am"}) {
    EXPECT_FALSE(ParseQuietHours(text)) << text;
  }
}

TEST(TriggerSettings, QuietHoursIncludeTheirBeginningAlone) {
  const QuietHours night = *ParseQuietHours("22:00-08:00");
  for (const int quiet : {1320, 1439, 0, 479}) EXPECT_TRUE(night.Contains(quiet)) << quiet;
  for (const int loud : {480, 720, 1319}) EXPECT_FALSE(night.Contains(loud)) << loud;
  const QuietHours noon = *ParseQuietHours("12:00-13:00");
  for (const int quiet : {720, 779}) EXPECT_TRUE(noon.Contains(quiet)) << quiet;
  for (const int loud : {719, 780, 0}) EXPECT_FALSE(noon.Contains(loud)) << loud;
  EXPECT_TRUE(ParseQuietHours("18:00-24:00")->Contains(1439));
}

TEST(TriggerSettings, SharesArePercentOrFractions) {
  EXPECT_EQ(ParseShare("10%"), 0.1);
  EXPECT_EQ(ParseShare("0.25"), 0.25);
  EXPECT_EQ(ParseShare("12.5 %"), 0.125);
  EXPECT_EQ(ParseShare("0"), 0);
  EXPECT_EQ(ParseShare("100%"), 1);
  for (const char* text : {"", "%", "10", "101%", "-1%", "ten", "0.1.2", "nan", "1e-1x"}) EXPECT_FALSE(ParseShare(text)) << text;
}

TEST(TriggerSettings, CapsAreACountAndASpan) {
  const auto cap = ParseCap("2 per 1h");
  ASSERT_TRUE(cap);
  EXPECT_EQ(cap->count, 2);
  EXPECT_EQ(cap->span, kHour);
  for (const char* text : {"", "2", "2 per", "0 per 1h", "1001 per 1h", "1.5 per 1h", "2 in 1h", "2 per 0s", "2 per 1", "1e300 per 1h"}) {
    EXPECT_FALSE(ParseCap(text)) << text;
  }
}

}  // namespace
}  // namespace attune
