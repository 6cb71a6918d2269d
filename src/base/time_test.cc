#include "base/time.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(Time, ReadsRfc3339) {
  constexpr struct {
    const char* text;
    Millis instant;
  } kGood[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01", 0},
      {"1969-12-31T23:59:59.999Z", -1},
      {"2026-03-01T10:00:00.000Z", 1772359200000},
      {"2026-03-01T10:00:00.123999Z", 1772359200123},
      {"2026-03-01T12:00:00+02:00", 1772359200000},
      {"2026-03-01 05:00:00-0500", 1772359200000},
      {"2026-03-01 10:00:00 UTC", 1772359200000},
      {"2026-03-01T10:00Z", 1772359200000},
      {"2024-02-29T00:00:00Z", 1709164800000},
  };
  for (const auto& [text, instant] : kGood) EXPECT_EQ(ParseRfc3339(text), instant) << text;
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const char* text : {"", "2026", "2026-13-01", "2026-02-29", "2026-03-01T", "2026-03-01T25:00:00Z",
                           "2026-03-01T10:00:00.Z", "2026-03-01T10:00:00+25:00", "2026-03-01T10:00:00Zx", "now"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

TEST(Time, FormatsWhatItReads) {
  for (Millis instant : {Millis{0}, Millis{-1}, Millis{1772359200123}, Millis{253402300799999}}) {
    EXPECT_EQ(ParseRfc3339(FormatRfc3339(instant)), instant);
  }
  EXPECT_EQ(FormatRfc3339(1772359200007), "2026-03-01T10:00:00.007Z");
}

TEST(Time, FormatsDurationsForPeople) {
  EXPECT_EQ(FormatDuration(26 * kHour), "1d 2h");
  EXPECT_EQ(FormatDuration(250), "250ms");
  EXPECT_EQ(FormatDuration(0), "0s");
}

TEST(Time, AnInstantMayBeEpochMilliseconds) { EXPECT_EQ(ParseInstant("1772359200000"), 1772359200000); }

}  // namespace
}  // namespace attune
