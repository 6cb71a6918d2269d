#include "oracle/local_time.h"

#include <date/date.h>
#include <date/tz.h>

#include <algorithm>
#include <chrono>

namespace attune::oracle {
namespace {

using std::chrono::milliseconds;
using SysMillis = date::sys_time<milliseconds>;
using LocalMillis = date::local_time<milliseconds>;

SysMillis Sys(Millis t) { return SysMillis(milliseconds(t)); }
Millis From(SysMillis t) { return t.time_since_epoch().count(); }

LocalMillis Local(const date::time_zone* zone, Millis t) { return zone->to_local(Sys(t)); }

date::local_days Date(const date::time_zone* zone, Millis t) {
  return date::floor<date::days>(Local(zone, t));
}

// A midnight that the clock skips is the instant of the change; one that is shown twice is the first.
Millis Begin(const date::time_zone* zone, date::local_days day) {
  return From(zone->to_sys(LocalMillis(day), date::choose::earliest));
}

// The last change of the offset at or before t.
Millis Unchanged(const date::time_zone* zone, Millis t) {
  date::sys_info info = zone->get_info(Sys(t));
  const auto offset = info.offset;
  const date::sys_seconds dawn = date::sys_days(date::year(1) / 1 / 1);
  while (info.begin > dawn) {
    const date::sys_info before = zone->get_info(info.begin - std::chrono::seconds(1));
    if (before.offset != offset) break;
    info = before;
  }
  return From(std::max(info.begin, dawn));
}

}  // namespace

LocalTime::LocalTime(const std::string& zone) : zone_(date::locate_zone(zone)) {}

Millis LocalTime::HourStart(Millis t) const {
  const LocalMillis local = Local(zone_, t);
  const Millis into_hour = (local - date::floor<std::chrono::hours>(local)).count();
  return std::max(t - into_hour, Unchanged(zone_, t));
}

Millis LocalTime::DayStart(Millis t) const { return Begin(zone_, Date(zone_, t)); }

Millis LocalTime::WeekStart(Millis t) const {
  const date::local_days day = Date(zone_, t);
  return Begin(zone_, day - (date::weekday(day) - date::Monday));
}

Millis LocalTime::MonthStart(Millis t) const {
  const date::year_month_day day(Date(zone_, t));
  return Begin(zone_, date::local_days(day.year() / day.month() / 1));
}

int LocalTime::Hour(Millis t) const {
  const LocalMillis local = Local(zone_, t);
  return static_cast<int>((local - date::floor<date::days>(local)) / std::chrono::hours(1));
}

int LocalTime::MinuteOfDay(Millis t) const {
  const LocalMillis local = Local(zone_, t);
  return static_cast<int>((local - date::floor<date::days>(local)).count() / kMinute);
}

int LocalTime::Weekday(Millis t) const {
  return static_cast<int>(date::weekday(Date(zone_, t)).iso_encoding());
}

}  // namespace attune::oracle
