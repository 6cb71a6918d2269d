#include "plan/zone.h"

#include <date/tz.h>

#include <algorithm>

namespace attune {
namespace {

using Instant = date::sys_time<std::chrono::milliseconds>;
using Local = date::local_time<std::chrono::milliseconds>;

Instant At(Millis t) { return Instant(std::chrono::milliseconds(t)); }

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
    return std::chrono::duration_cast<std::chrono::milliseconds>(info.first.end.time_since_epoch()).count();
  }
  return local - std::chrono::duration_cast<std::chrono::milliseconds>(info.first.offset).count();
}

Zone::Period Zone::HourAt(Millis t) const {
  const date::sys_info info = zone_->get_info(At(t));
  const Millis offset = std::chrono::duration_cast<std::chrono::milliseconds>(info.offset).count();
  const Millis shown = FloorTo(t + offset, kHour) - offset;
  // The zone's first and last rules reach beyond the range of Millis: clamp before converting.
  const auto change = [](auto instant) {
    const auto days = std::chrono::duration_cast<std::chrono::hours>(instant.time_since_epoch()).count() / 24;
    if (days < -3'000'000 || days > 3'000'000) return days < 0 ? kAlways : kNever;
    return static_cast<Millis>(std::chrono::duration_cast<std::chrono::milliseconds>(instant.time_since_epoch()).count());
  };
  return {std::max(shown, change(info.begin)), std::min(shown + kHour, change(info.end))};
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

int Zone::Hour(Millis t) const {
  const Millis local = t + Offset(t);
  return static_cast<int>((local - FloorTo(local, kDay)) / kHour);
}

int Zone::Weekday(Millis t) const {
  const Millis days = FloorTo(t + Offset(t), kDay) / kDay;
  return static_cast<int>(((days + 3) % 7 + 7) % 7) + 1;  // 1970-01-01 was a Thursday
}

}  // namespace attune
