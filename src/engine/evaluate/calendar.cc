// hour(), weekday(), date(), and the calendar period of an instant.
#include <absl/container/inlined_vector.h>

#include <algorithm>

#include "engine/evaluate/evaluate.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

}  // namespace

Zone::Period Evaluator::PeriodAt(Window::Kind kind) {
  Zone::Period& known = periods_[static_cast<int>(kind) - static_cast<int>(WindowKind::kThisHour)];
  if (t_ >= known.begin && t_ < known.end) return known;
  switch (kind) {
    case WindowKind::kThisHour: return known = program_.zone.HourAt(t_);
    case WindowKind::kToday: return known = program_.zone.DayAt(t_);
    case WindowKind::kThisWeek: return known = program_.zone.WeekAt(t_);
    default: return known = program_.zone.MonthAt(t_);
  }
}

Timed Evaluator::Calendar(Kind kind) {
  if (kind == Kind::kHour) return {Value::Number(program_.zone.Hour(t_)), PeriodAt(WindowKind::kThisHour).end};
  const Zone::Period day = PeriodAt(WindowKind::kToday);
  if (kind == Kind::kDate) return {Value::Time(day.begin), day.end};
  return {Value::Number(program_.zone.Weekday(t_)), day.end};
}

// If exactly one operand is hour(), weekday() or date(), the outcome depends only on its value while the others last.
Millis Evaluator::ClockStays(const attune::Node& node, const Value* values, bool now, Millis until) {
  constexpr int kHours = 4 * 24;  // by then every hour has occurred, even if a clock change skips some
  constexpr int kDays = 4 * 7;
  constexpr Millis kLatest = 300'000'000'000'000;  // the year 11476: no event is that late
  uint32_t clock = kNone;
  Millis others = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Kind kind = At(Child(node, i)).kind;
    if (kind != Kind::kHour && kind != Kind::kWeekday && kind != Kind::kDate) {
      others = std::min(others, Node(Child(node, i)).until);
    } else if (clock == kNone) {
      clock = i;
    } else {
      return until;
    }
  }
  if (clock == kNone) return until;
  absl::InlinedVector<Value, 3> at(values, values + node.count);
  const auto changes = [&](const Value& shown) {
    at[clock] = shown;
    return Apply(node, at.data()) != now;
  };
  const Kind kind = At(Child(node, clock)).kind;
  if (kind != Kind::kDate) {
    const bool hourly = kind == Kind::kHour;
    Millis next = PeriodAt(hourly ? WindowKind::kThisHour : WindowKind::kToday).end;
    for (int i = 0; i < (hourly ? kHours : kDays) && next < others; ++i) {
      if (changes(Value::Number(hourly ? program_.zone.Hour(next) : program_.zone.Weekday(next)))) return next;
      next = hourly ? program_.zone.HourAt(next).end : program_.zone.DayAt(next).end;
    }
    return others;
  }
  // date() only rises, so the outcome can change only when it reaches or passes one of the times that it is compared with.
  Millis first = others;
  const auto meet = [&](const Value& with) {
    if (with.type() != Type::kTime || with.time() < t_ - kWeek || with.time() >= std::min(first, kLatest)) return;
    const Zone::Period day = program_.zone.DayAt(with.time());
    for (const Millis next : {day.begin, day.end}) {
      if (next > t_ && next < first && changes(Value::Time(next))) first = next;
    }
  };
  for (uint32_t i = 0; i < node.count; ++i) {
    if (i == clock) continue;
    if (values[i].type() == Type::kList) {
      for (const Value& item : values[i].list()) meet(item);
    } else {
      meet(values[i]);
    }
  }
  return first;
}

}  // namespace attune
