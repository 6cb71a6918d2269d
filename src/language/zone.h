// A time zone and its calendar.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace date {
class time_zone;
}

namespace attune {

// A small value; copies are free. Reads the system's zone files, which stay loaded.
class Zone {
 public:
  // `Europe/Warsaw`, `UTC`. kInvalid when there is no such zone.
  static Result<Zone> Find(std::string_view name);

  // A period of the calendar: [begin, end).
  struct Period {
    Millis begin;
    Millis end;
  };

  // An hour begins whenever the clock shows hh:00 and whenever the clock is changed, so the second 02:00 of a
  // clock-change day begins an hour of its own. Days begin at local midnight (or, where the clock skips it, at the
  // first instant of the date). Weeks begin on Monday.
  Period HourAt(Millis t) const;
  Period DayAt(Millis t) const;
  Period WeekAt(Millis t) const;
  Period MonthAt(Millis t) const;

  int Hour(Millis t) const;     // 0 to 23
  int Minute(Millis t) const;   // of the day: 0 to 1439
  int Weekday(Millis t) const;  // 1 (Monday) to 7

  // The instant at which the clock shows `local` (milliseconds as if the clock were UTC). If it is shown twice: the
  // first. If it is never shown: the instant of the change that skips it.
  Millis FromLocal(Millis local) const;

 private:
  explicit Zone(const date::time_zone* zone) : zone_(zone) {}
  Millis Offset(Millis t) const;

  const date::time_zone* zone_;
};

}  // namespace attune
