// Windows: which events they hold, and until when they hold the same events.
#include <algorithm>

#include "engine/evaluate/crossing.h"
#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"

namespace attune {
namespace {

using WindowKind = Window::Kind;

}  // namespace

Evaluator::Bounds Evaluator::BoundsOf(const AggregateSpec& spec) {
  Bounds bounds;
  switch (spec.window) {
    case WindowKind::kEver: break;
    case WindowKind::kSliding:
      bounds.low = t_ - spec.offset - spec.length;
      bounds.high = spec.offset == 0 ? kNever : t_ - spec.offset;
      bounds.sliding = true;
      break;
    case WindowKind::kThisHour:
    case WindowKind::kToday:
    case WindowKind::kThisWeek:
    case WindowKind::kThisMonth: {
      const Zone::Period period = PeriodAt(spec.window);
      bounds.low = period.begin - 1;
      bounds.until = period.end;
      break;
    }
    case WindowKind::kSession:
    case WindowKind::kLastSession: {
      const bool open = spec.window == WindowKind::kSession;
      const Session* session = open ? outer_->sessions.OpenAt(t_, program_.sessions) : outer_->sessions.latest();
      bounds.none = session == nullptr;
      if (!session) break;
      bounds.low = session->first - 1;
      bounds.until = open ? Later(session->last, program_.sessions.gap + 1) : kNever;
      break;
    }
    case WindowKind::kRange:
      bounds.low = spec.from - 1;
      bounds.high = spec.to - 1;
      break;
    case WindowKind::kAfter:
    case WindowKind::kSince: {
      const Timed anchor = Node(spec.anchor);
      bounds.until = anchor.until;
      if (anchor.value.type() == Type::kTime) {
        bounds.low = anchor.value.time();
        if (spec.window == WindowKind::kAfter) bounds.high = Later(anchor.value.time(), spec.length);
      } else {
        bounds.none = spec.window == WindowKind::kAfter;
      }
      break;
    }
  }
  return bounds;
}

Millis Evaluator::AnchorStays(const AggregateSpec& spec, const Bounds& bounds, size_t size, size_t from, size_t to,
                              absl::FunctionRef<Millis(size_t)> time) {
  if (bounds.low == kAlways || !At(spec.anchor).moving) return bounds.until;
  Millis low = from > 0 ? time(from - 1) : kAlways;
  Millis high = from < size ? time(from) : kNever;
  if (bounds.high != kNever) {
    if (to > 0) low = std::max(low, time(to - 1) - spec.length);
    if (to < size) high = std::min(high, time(to) - spec.length);
  }
  return Crossing(this, spec.anchor, Value::Time(bounds.low), low, high).Find(bounds.until);
}

Millis Evaluator::Range(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t* from, size_t* to) {
  *from = bounds.low == kAlways ? 0 : series.CountUpTo(bounds.low);
  *to = bounds.high == kNever ? series.size() : std::max(*from, series.CountUpTo(bounds.high));
  if (spec.anchor != kNone) {
    return AnchorStays(spec, bounds, series.size(), *from, *to, [&](size_t i) { return series.time(i); });
  }
  if (!bounds.sliding) return *from < *to ? bounds.until : kNever;
  Millis until = kNever;
  if (*from < *to) until = Later(series.time(*from), spec.length + spec.offset);
  if (spec.offset > 0 && *to < series.size()) until = std::min(until, Later(series.time(*to), spec.offset));
  return until;
}

}  // namespace attune
