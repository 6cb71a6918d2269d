#include "language/zone.h"

#include <date/tz.h>

#include <algorithm>

namespace attune {
namespace {

using SysMillis = date::sys_time<std::chrono::milliseconds>;
using Local = date::local_time<std::chrono::milliseconds>;

SysMillis At(Millis t) { return SysMillis(std::chrono::milliseconds(t)); }
Millis MillisOf(SysMillis t) { return t.time_since_epoch().count(); }

Millis FloorTo(Millis value, Millis unit) {
  const Millis rest = value % unit;
  return value - rest - (rest < 0 ? unit : 0);
}

}  // namespace

Result<Zone> Zone::Find(std::string_view name) {
  try {
    return Zone(date::locate_zone(std::string(name)));
  } catch (const std::exception&) {
    return Error{ErrorCode::kInvalid,
                 "there is no time zone \"" + std::string(name) + "\"; expected an IANA name such as Europe/Warsaw"};
  }
}

Millis Zone::Offset(Millis t) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(zone_->get_info(At(t)).offset).count();
}

Millis Zone::FromLocal(Millis local) const {
  const date::local_info info = zone_->get_info(Local(std::chrono::milliseconds(local)));
  if (info.result == date::local_info::nonexistent) {
    return MillisOf(info.first.end);
  }
  return local - std::chrono::duration_cast<std::chrono::milliseconds>(info.first.offset).count();
}

// The zone's rules may change without a change of the offset (only the zone's abbreviation changes). Only a change of
// the offset begins an hour.
Zone::Period Zone::HourAt(Millis t) const {
  const date::sys_info now = zone_->get_info(At(t));
  const Millis offset = std::chrono::duration_cast<std::chrono::milliseconds>(now.offset).count();
  const Millis shown = FloorTo(t + offset, kHour) - offset;
  Period hour{shown, shown + kHour};
  for (date::sys_info info = now; info.begin > At(hour.begin);) {
    const date::sys_info before = zone_->get_info(info.begin - std::chrono::seconds(1));
    if (before.offset != now.offset) hour.begin = MillisOf(info.begin);
    info = before;
  }
  for (date::sys_info info = now; info.end < At(hour.end);) {
    const date::sys_info after = zone_->get_info(info.end);
    if (after.offset != now.offset) hour.end = MillisOf(info.end);
    info = after;
  }
  return hour;
}

Zone::Period Zone::DayAt(Millis t) const {
  const Millis midnight = FloorTo(t + Offset(t), kDay);
  return {FromLocal(midnight), FromLocal(midnight + kDay)};
}

Zone::Period Zone::WeekAt(Millis t) const {
  const Millis midnight = FloorTo(t + Offset(t), kDay);
  const Millis monday = midnight - (Weekday(t) - 1) * kDay;
  return {FromLocal(monday), FromLocal(monday + kWeek)};
}

Zone::Period Zone::MonthAt(Millis t) const {
  const auto day = date::floor<date::days>(Local(std::chrono::milliseconds(t + Offset(t))));
  const date::year_month_day date{day};
  const auto first = date.year() / date.month();
  const auto local_millis = [](date::year_month month) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(date::local_days(month / 1).time_since_epoch()).count();
  };
  return {FromLocal(local_millis(first)), FromLocal(local_millis(first + date::months(1)))};
}

int Zone::Minute(Millis t) const {
  const Millis local = t + Offset(t);
  return static_cast<int>((local - FloorTo(local, kDay)) / kMinute);
}

int Zone::Hour(Millis t) const { return Minute(t) / 60; }

int Zone::Weekday(Millis t) const {
  const Millis days = FloorTo(t + Offset(t), kDay) / kDay;
  return static_cast<int>(((days + 3) % 7 + 7) % 7) + 1;  // 1970-01-01 was a Thursday
}

}  // namespace attune
