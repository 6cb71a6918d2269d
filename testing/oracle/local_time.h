// Calendar periods in a time zone, computed directly from the zone database.
#pragma once

#include <string>

#include "base/time.h"

namespace date {
class time_zone;
}

namespace attune::oracle {

class LocalTime {
 public:
  // `zone` is a name of the zone database; an unknown one ends the program.
  explicit LocalTime(const std::string& zone);

  // The latest instant <= t at which the local clock showed hh:00, or was changed: the second 02:00 of a clock-change
  // day begins a separate hour.
  Millis HourStart(Millis t) const;
  // The first instant of the local date of t: midnight, or the change of the clock that skipped it.
  Millis DayStart(Millis t) const;
  Millis WeekStart(Millis t) const;   // of the week's Monday
  Millis MonthStart(Millis t) const;  // of the month's first day
  int Hour(Millis t) const;           // 0 to 23
  int MinuteOfDay(Millis t) const;    // 0 to 1439, as the clock shows it
  int Weekday(Millis t) const;        // 1 (Monday) to 7

 private:
  const date::time_zone* zone_;
};

}  // namespace attune::oracle
