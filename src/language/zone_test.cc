#include "language/zone.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

Zone Named(const char* name) { return Zone::Find(name).value(); }
Millis At(const std::string& instant) { return *ParseRfc3339(instant); }
std::string Text(const Zone::Period& period) { return FormatRfc3339(period.begin) + " .. " + FormatRfc3339(period.end); }

// The period that contains `instant`, and its two ends.
struct Expected {
  const char* zone;
  const char* instant;
  const char* begin;
  const char* end;
};

template <size_t n>
void Check(Zone::Period (Zone::*period)(Millis) const, const Expected (&all)[n]) {
  for (const auto& [zone, instant, begin, end] : all) {
    EXPECT_EQ(Text((Named(zone).*period)(At(instant))), Text({At(begin), At(end)})) << zone << " " << instant;
  }
}

TEST(Zone, AnHourBeginsOnTheHourAndWhenTheClockIsChanged) {
  Check(&Zone::HourAt, {
      {"UTC", "2026-03-01T10:59:59.999Z", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
      {"UTC", "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
      {"Asia/Kolkata", "2026-03-01T10:29:59.999Z", "2026-03-01T09:30:00Z", "2026-03-01T10:30:00Z"},
      {"Asia/Kolkata", "2026-03-01T10:30:00Z", "2026-03-01T10:30:00Z", "2026-03-01T11:30:00Z"},
      // 02:00 becomes 03:00, and in autumn 03:00 becomes 02:00.
      {"Europe/Warsaw", "2026-03-29T00:59:59.999Z", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
      {"Europe/Warsaw", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
      {"Europe/Warsaw", "2026-10-25T00:59:59.999Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
      {"Europe/Warsaw", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
      // 02:00 becomes 01:30, and in spring 02:30: the rest of the hour is half an hour.
      {"Australia/Lord_Howe", "2026-04-04T14:59:59Z", "2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T15:00:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T15:30:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z"},
      {"Australia/Lord_Howe", "2026-10-03T15:29:59Z", "2026-10-03T14:30:00Z", "2026-10-03T15:30:00Z"},
      {"Australia/Lord_Howe", "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
      // At 20:30 local time, War Time was renamed Peace Time; the clock did not change.
      {"America/St_Johns", "1945-08-14T22:59:59Z", "1945-08-14T22:30:00Z", "1945-08-14T23:30:00Z"},
      {"America/St_Johns", "1945-08-14T23:00:00Z", "1945-08-14T22:30:00Z", "1945-08-14T23:30:00Z"},
      {"America/St_Johns", "1945-08-14T23:30:00Z", "1945-08-14T23:30:00Z", "1945-08-15T00:30:00Z"},
  });
}

TEST(Zone, ADayIsAsLongAsTheClockMakesIt) {
  Check(&Zone::DayAt, {
      {"UTC", "1969-12-31T23:59:59.999Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"},
      {"Asia/Kolkata", "2026-02-28T18:30:00Z", "2026-02-28T18:30:00Z", "2026-03-01T18:30:00Z"},
      {"Europe/Warsaw", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},  // 23 hours
      {"Europe/Warsaw", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},  // 25 hours
      {"Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
      {"Australia/Lord_Howe", "2026-10-04T00:00:00Z", "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
      // Midnight becomes 01:00, and the day begins there. In autumn midnight becomes 23:00 of the day that had ended.
      {"America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
      {"America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
      {"America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
  });
}

TEST(Zone, WeeksBeginOnMonday) {
  Check(&Zone::WeekAt, {
      {"Europe/Warsaw", "2027-01-01T12:00:00Z", "2026-12-27T23:00:00Z", "2027-01-03T23:00:00Z"},
      {"Europe/Warsaw", "2027-01-03T22:59:59.999Z", "2026-12-27T23:00:00Z", "2027-01-03T23:00:00Z"},
      {"Europe/Warsaw", "2027-01-03T23:00:00Z", "2027-01-03T23:00:00Z", "2027-01-10T23:00:00Z"},
      {"Europe/Warsaw", "2026-03-25T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},  // an hour less
      {"UTC", "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
  });
}

TEST(Zone, MonthsFollowTheCalendar) {
  Check(&Zone::MonthAt, {
      {"Europe/Warsaw", "2026-12-31T22:59:59.999Z", "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"},
      {"Europe/Warsaw", "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"},
      {"Europe/Warsaw", "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
      {"Europe/Warsaw", "2028-02-29T12:00:00Z", "2028-01-31T23:00:00Z", "2028-02-29T23:00:00Z"},
      {"Asia/Kolkata", "2026-02-28T18:29:59Z", "2026-01-31T18:30:00Z", "2026-02-28T18:30:00Z"},
  });
}

TEST(Zone, ReadsTheClock) {
  EXPECT_EQ(Named("Asia/Kolkata").Hour(At("2026-03-01T10:29:59Z")), 15);
  EXPECT_EQ(Named("Asia/Kolkata").Hour(At("2026-03-01T10:30:00Z")), 16);
  EXPECT_EQ(Named("Europe/Warsaw").Hour(At("2026-03-29T01:00:00Z")), 3);
  EXPECT_EQ(Named("Europe/Warsaw").Hour(At("2026-10-25T01:30:00Z")), 2);
  EXPECT_EQ(Named("Asia/Kolkata").Minute(At("2026-03-01T18:29:59Z")), 24 * 60 - 1);
  EXPECT_EQ(Named("Asia/Kolkata").Minute(At("2026-03-01T18:30:00Z")), 0);
  EXPECT_EQ(Named("Europe/Warsaw").Weekday(At("2027-01-03T22:59:59Z")), 7);
  EXPECT_EQ(Named("Europe/Warsaw").Weekday(At("2027-01-03T23:00:00Z")), 1);
  EXPECT_EQ(Named("UTC").Weekday(At("1969-12-31T12:00:00Z")), 3);
}

// Local times are written as if the clock were UTC.
TEST(Zone, FindsTheInstantThatTheClockShows) {
  constexpr Expected kInstants[] = {
      {"Europe/Warsaw", "2026-01-01T00:00:00Z", "2025-12-31T23:00:00Z", nullptr},
      {"Europe/Warsaw", "2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z", "skipped: the change"},
      {"Europe/Warsaw", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z", "shown twice: the first"},
      {"Europe/Warsaw", "2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z", nullptr},
      {"America/Sao_Paulo", "2018-11-04T00:00:00Z", "2018-11-04T03:00:00Z", "a skipped midnight"},
      {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z", "shown twice: the first"},
      {"Asia/Kolkata", "1947-08-15T00:00:00Z", "1947-08-14T18:30:00Z", nullptr},
  };
  for (const auto& [zone, local, instant, why] : kInstants) {
    EXPECT_EQ(FormatRfc3339(Named(zone).FromLocal(At(local))), FormatRfc3339(At(instant))) << zone << " " << local << " " << (why ? why : "");
  }
}

TEST(Zone, IsRefusedWhenThereIsNone) {
  EXPECT_FALSE(Zone::Find("Europe/Atlantis").ok());
  EXPECT_FALSE(Zone::Find("").ok());
}

}  // namespace
}  // namespace attune
