#include "oracle/bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "oracle/aggregate.h"
#include "oracle/operators.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

using Kind = Expression::Kind;

struct Stretch {
  const History& history;
  Millis from;
  Millis to;
};

Bounds Over(const Expression& e, const Stretch& stretch);

Bounds Unknown() { return {}; }
Bounds Exact(Value value) { return {Bounds::Kind::kExact, value, value, 0}; }
Bounds ExactBool(bool b) { return Exact(Value::Bool(b)); }

Bounds Moving(Value at_from, Value at_to, int64_t slope) {
  if (slope == 0) return Exact(at_from);
  const bool up = slope > 0;
  return {Bounds::Kind::kMoving, up ? at_from : at_to, up ? at_to : at_from, slope};
}

Bounds Between(Value low, Value high) {
  if (low.is_null() || high.is_null()) return Unknown();
  if (Identical(low, high)) return Exact(low);
  return {Bounds::Kind::kBetween, low, high, 0};
}

Value AtFrom(const Bounds& b) { return b.slope < 0 ? b.high : b.low; }
Value AtTo(const Bounds& b) { return b.slope < 0 ? b.low : b.high; }

bool IsNull(const Bounds& b) { return b.IsExact() && b.low.is_null(); }

// --- windows: is an event in the window throughout, never, or only for a part? ---

enum class Shown { kAlways, kNever, kPartly };

// An event that is in the window while begin <= t < end.
Shown WhileIn(Millis begin, Millis end, const Stretch& stretch) {
  if (begin <= stretch.from && stretch.to < end) return Shown::kAlways;
  if (stretch.to < begin || end <= stretch.from) return Shown::kNever;
  return Shown::kPartly;
}

// An event that is in the window while the period of t began no later than the event. The beginning of the period never
// decreases.
Shown SincePeriod(Millis event, Millis start_at_from, Millis start_at_to) {
  if (start_at_to <= event) return Shown::kAlways;
  return event < start_at_from ? Shown::kNever : Shown::kPartly;
}

Shown AfterAnchor(Millis event, const Window& window, const Bounds& anchor) {
  const bool since = window.kind == Window::Kind::kSince;
  if (anchor.kind == Bounds::Kind::kUnknown) return Shown::kPartly;
  if (anchor.low.type() != Type::kTime) return since ? Shown::kAlways : Shown::kNever;
  const Millis low = anchor.low.time();
  const Millis high = anchor.high.time();
  if (event <= low) return Shown::kNever;
  if (!since && event > high + window.length) return Shown::kNever;
  return event > high && (since || event <= low + window.length) ? Shown::kAlways : Shown::kPartly;
}

Shown InSession(const Entry& entry, const Window& window, const Stretch& stretch) {
  const std::vector<Session> sessions = SessionsAt(stretch.history, stretch.from);
  if (sessions.empty()) return Shown::kNever;
  const Session& last = sessions.back();
  if (std::find(last.begin(), last.end(), &entry) == last.end()) return Shown::kNever;
  if (window.kind == Window::Kind::kLastSession) return Shown::kAlways;
  const bool open_at_from = IsOpen(last, stretch.history.plan(), stretch.from);
  const bool open_at_to = IsOpen(last, stretch.history.plan(), stretch.to);
  if (open_at_to) return Shown::kAlways;
  return open_at_from ? Shown::kPartly : Shown::kNever;
}

// For an instant. Requires a window that is not a session, since a session contains only events.
Shown ShownIn(Millis event, const Window& window, const Stretch& stretch) {
  const LocalTime& local = stretch.history.local_time();
  const auto period = [&](Millis (LocalTime::*start)(Millis) const) {
    return SincePeriod(event, (local.*start)(stretch.from), (local.*start)(stretch.to));
  };
  switch (window.kind) {
    case Window::Kind::kEver: return Shown::kAlways;
    case Window::Kind::kSliding:
      return WhileIn(event + window.offset, event + window.offset + window.length, stretch);
    case Window::Kind::kThisHour: return period(&LocalTime::HourStart);
    case Window::Kind::kToday: return period(&LocalTime::DayStart);
    case Window::Kind::kThisWeek: return period(&LocalTime::WeekStart);
    case Window::Kind::kThisMonth: return period(&LocalTime::MonthStart);
    case Window::Kind::kRange:
      return window.from <= event && event < window.to ? Shown::kAlways : Shown::kNever;
    case Window::Kind::kAfter: case Window::Kind::kSince:
      return AfterAnchor(event, window, Over(*window.anchor, stretch));
    case Window::Kind::kSession:
    case Window::Kind::kLastSession:
      break;
  }
  return Shown::kPartly;
}

Shown ShownIn(const Entry& entry, const Window& window, const Stretch& stretch) {
  const bool session =
      window.kind == Window::Kind::kSession || window.kind == Window::Kind::kLastSession;
  return session ? InSession(entry, window, stretch) : ShownIn(entry.time(), window, stretch);
}

// Whether the window contains the same of these events throughout.
bool IsSteady(const Selector& selector, const Window& window, const Stretch& stretch) {
  for (const Entry* entry : stretch.history.events()) {
    if (entry->time() > stretch.to) break;
    if (!Selects(selector, *entry, stretch.history)) continue;
    if (ShownIn(*entry, window, stretch) == Shown::kPartly) return false;
  }
  return true;
}

// Whether the window contains the same sessions throughout. Sessions consist of all events, whatever selectors match.
bool AreSessionsSteady(const Window& window, const Stretch& stretch) {
  const auto& events = stretch.history.events();
  return std::none_of(events.begin(), events.end(), [&](const Entry* entry) {
    return entry->time() <= stretch.from && ShownIn(*entry, window, stretch) == Shown::kPartly;
  });
}

bool AreStepsSteady(const Expression& e, const Stretch& stretch) {
  return std::all_of(e.steps.begin(), e.steps.end(), [&](const SequenceStep& step) {
    return IsSteady(step.selector, e.window, stretch);
  });
}

// in_segment(s) for d: the value can change only at a change of s, and d after one.
bool IsMembershipSteady(const Expression& e, const Stretch& stretch) {
  const History& history = stretch.history;
  for (const History::Change& change :
       history.ChangesOf(*history.plan().FindSegment(e.text), stretch.to)) {
    for (const Millis at : {change.at, change.at + e.window.length}) {
      if (at > stretch.from && at <= stretch.to) return false;
    }
  }
  return true;
}

// entered(s[W]) and left(s[W]): the window contains the same changes throughout.
bool AreChangesSteady(const Expression& e, const Stretch& stretch) {
  const History& history = stretch.history;
  for (const History::Change& change :
       history.ChangesOf(*history.plan().FindSegment(e.text), stretch.to)) {
    if (change.at > stretch.from || ShownIn(change.at, e.window, stretch) == Shown::kPartly)
      return false;
  }
  return true;
}

bool AreStretchesSteady(const Expression& e, const Stretch& stretch) {
  for (const Entry* entry : stretch.history.events()) {
    if (entry->time() > stretch.to) break;
    if (!Selects(e.selector, *entry, stretch.history)) continue;
    for (int64_t k = 0; k < static_cast<int64_t>(e.number); ++k) {
      const Millis begin = entry->time() + k * e.window.length;
      if (WhileIn(begin, begin + e.window.length, stretch) == Shown::kPartly) return false;
    }
  }
  return true;
}

Bounds ExactIf(bool steady, const Expression& e, const Stretch& stretch) {
  return steady ? Exact(Evaluate(e, stretch.history, stretch.from)) : Unknown();
}

bool IsAggregateSteady(const Expression& e, const Stretch& stretch) {
  switch (RuleOf(e).steady) {
    case AggregateRule::Steady::kEvents: return IsSteady(e.selector, e.window, stretch);
    case AggregateRule::Steady::kSessions: return AreSessionsSteady(e.window, stretch);
    case AggregateRule::Steady::kStretches: return AreStretchesSteady(e, stretch);
  }
  return false;
}

Bounds OverAggregate(const Expression& e, const Stretch& stretch) {
  if (!IsAggregateSteady(e, stretch)) return Unknown();
  const Value low = Evaluate(e, stretch.history, stretch.from);
  if (!RuleOf(e).moves || low.is_null()) return Exact(low);
  return Moving(low, Evaluate(e, stretch.history, stretch.to), 1);
}

bool SamePeriod(const Stretch& stretch, Millis (LocalTime::*start)(Millis) const) {
  const LocalTime& local = stretch.history.local_time();
  return (local.*start)(stretch.from) == (local.*start)(stretch.to);
}

// --- operators ---

Bounds Not(const Bounds& b) {
  if (b.kind == Bounds::Kind::kUnknown) return b;
  return ExactBool(!(b.IsExact() && b.low.IsTrue()));
}

Bounds Any(const std::vector<Bounds>& all) {
  bool known = true;
  for (const Bounds& b : all) {
    if (b.IsExact() && b.low.IsTrue()) return ExactBool(true);
    known = known && b.kind != Bounds::Kind::kUnknown;
  }
  return known ? ExactBool(false) : Unknown();
}

Bounds All(std::vector<Bounds> all) {
  for (Bounds& b : all) b = Not(b);
  return Not(Any(all));
}

Bounds Combined(Kind kind, const Bounds& a, const Bounds& b);

Bounds Compared(Kind kind, const Bounds& a, const Bounds& b) {
  if (IsNull(a) || IsNull(b)) return ExactBool(false);
  if (a.kind == Bounds::Kind::kUnknown || b.kind == Bounds::Kind::kUnknown) return Unknown();
  if (a.IsExact() && b.IsExact()) return ExactBool(Compare(kind, a.low, b.low));
  if (a.low.type() != b.low.type()) return ExactBool(false);
  // For two moving operands the difference matters, which may be constant.
  if (a.kind == Bounds::Kind::kMoving && b.kind == Bounds::Kind::kMoving) {
    return Compared(kind, Combined(Kind::kSubtract, a, b), Exact(Value::Duration(0)));
  }
  const bool below = Order(a.high, b.low) < 0;
  const bool above = Order(b.high, a.low) < 0;
  const bool at_most = Order(a.high, b.low) <= 0;
  const bool at_least = Order(b.high, a.low) <= 0;
  switch (kind) {
    case Kind::kEqual: return below || above ? ExactBool(false) : Unknown();
    case Kind::kNotEqual: return below || above ? ExactBool(true) : Unknown();
    case Kind::kLess: return below ? ExactBool(true) : at_least ? ExactBool(false) : Unknown();
    case Kind::kLessEqual: return at_most ? ExactBool(true) : above ? ExactBool(false) : Unknown();
    case Kind::kGreater: return above ? ExactBool(true) : at_most ? ExactBool(false) : Unknown();
    default: return at_least ? ExactBool(true) : below ? ExactBool(false) : Unknown();
  }
}

// For an operation that is monotonic in each operand: the value lies between the values at the corners. (Rounding keeps
// order, so the corners bound the rounded values too.)
Bounds Corners(Kind kind, const Bounds& a, const Bounds& b) {
  const Value corners[] = {Arithmetic(kind, a.low, b.low), Arithmetic(kind, a.low, b.high),
                           Arithmetic(kind, a.high, b.low), Arithmetic(kind, a.high, b.high)};
  Value low = corners[0];
  Value high = corners[0];
  for (const Value& corner : corners) {
    if (corner.is_null()) return IsNull(Exact(low)) ? Exact(Value()) : Unknown();
    if (Order(corner, low) < 0) low = corner;
    if (Order(corner, high) > 0) high = corner;
  }
  return Between(low, high);
}

bool HoldsZero(const Bounds& b) {
  const auto sign = [](const Value& v) {
    if (v.type() == Type::kNumber) return (v.number() > 0) - (v.number() < 0);
    return (v.duration() > 0) - (v.duration() < 0);
  };
  return b.low.type() != Type::kTime && sign(b.low) <= 0 && sign(b.high) >= 0;
}

Bounds Combined(Kind kind, const Bounds& a, const Bounds& b) {
  if (IsNull(a) || IsNull(b)) return Exact(Value());
  if (a.kind == Bounds::Kind::kUnknown || b.kind == Bounds::Kind::kUnknown) return Unknown();
  if (kind == Kind::kDivide && HoldsZero(b)) return b.IsExact() ? Exact(Value()) : Unknown();
  const bool sums = kind == Kind::kAdd || kind == Kind::kSubtract;
  const bool lines = a.kind != Bounds::Kind::kBetween && b.kind != Bounds::Kind::kBetween;
  const Value at_from = Arithmetic(kind, AtFrom(a), AtFrom(b));
  // Sums of whole milliseconds are exact, so equal motions cancel.
  if (sums && lines && !at_from.is_null() && at_from.type() != Type::kNumber) {
    const int64_t slope = kind == Kind::kAdd ? a.slope + b.slope : a.slope - b.slope;
    return Moving(at_from, Arithmetic(kind, AtTo(a), AtTo(b)), slope);
  }
  return Corners(kind, a, b);
}

Bounds Negated(const Bounds& x) {
  if (x.kind == Bounds::Kind::kUnknown || x.low.is_null()) return x;
  if (x.low.type() == Type::kDuration) {
    return Combined(Kind::kSubtract, Exact(Value::Duration(0)), x);
  }
  if (x.low.type() != Type::kNumber) return Exact(Value());
  return Between(Value::Number(-x.high.number()), Value::Number(-x.low.number()));
}

Bounds Absolute(const Bounds& x) {
  if (x.kind == Bounds::Kind::kUnknown || x.low.is_null()) return x;
  return Combined(Kind::kMax, x, Negated(x));
}

Bounds Rounded(const Bounds& x) {
  if (x.kind == Bounds::Kind::kUnknown || x.low.is_null()) return x;
  if (x.low.type() != Type::kNumber) return Exact(Value());
  return Between(Value::Number(std::round(x.low.number())),
                 Value::Number(std::round(x.high.number())));
}

Bounds Logarithm(const Bounds& x) {
  if (x.kind == Bounds::Kind::kUnknown || x.low.is_null()) return x;
  if (x.low.type() != Type::kNumber || x.high.number() <= -1) return Exact(Value());
  if (x.low.number() <= -1) return Unknown();
  // The library nearly keeps the order, but not exactly: widen by two steps.
  const double inf = std::numeric_limits<double>::infinity();
  double low = std::log1p(x.low.number());
  double high = std::log1p(x.high.number());
  for (int i = 0; i < 2; ++i) {
    low = std::nextafter(low, -inf);
    high = std::nextafter(high, inf);
  }
  return Between(Value::Number(low), Value::Number(high));
}

Bounds Clamped(const std::vector<Bounds>& args) {
  return Combined(Kind::kMax, args[1], Combined(Kind::kMin, args[0], args[2]));
}

Bounds Scaled(const std::vector<Bounds>& args) {
  const Bounds above = Combined(Kind::kSubtract, args[0], args[1]);
  const Bounds width = Combined(Kind::kSubtract, args[2], args[1]);
  const Bounds share = Combined(Kind::kDivide, above, width);
  if (share.kind == Bounds::Kind::kUnknown || share.low.is_null()) return share;
  const auto clamp = [](double x) { return Value::Number(std::min(1.0, std::max(0.0, x))); };
  return Between(clamp(share.low.number()), clamp(share.high.number()));
}

Bounds Coalesced(const std::vector<Bounds>& args) {
  for (const Bounds& arg : args) {
    if (!IsNull(arg)) return arg;
  }
  return Exact(Value());
}

Bounds InList(const Expression& e, const Bounds& item, const Bounds& list, const Stretch& stretch) {
  if (IsNull(item)) return ExactBool(false);
  if (!list.IsExact()) return Unknown();
  std::vector<Bounds> equal;
  const Value items = Evaluate(*e.args[1], stretch.history, stretch.from);
  if (items.type() != Type::kList) return ExactBool(false);
  for (const Value& each : items.list()) {
    equal.push_back(Compared(Kind::kEqual, item, Exact(each)));
  }
  return Any(equal);
}

// Requires that some operand is not exact.
Bounds Operation(const Expression& e, const std::vector<Bounds>& args, const Stretch& stretch) {
  switch (e.kind) {
    case Kind::kAnd: return All(args);
    case Kind::kOr: return Any(args);
    case Kind::kNot: return Not(args[0]);
    case Kind::kEqual: case Kind::kNotEqual: case Kind::kLess: case Kind::kLessEqual:
    case Kind::kGreater: case Kind::kGreaterEqual:
      return Compared(e.kind, args[0], args[1]);
    case Kind::kBetween:
      return All({Compared(Kind::kLessEqual, args[1], args[0]),
                  Compared(Kind::kLessEqual, args[0], args[2])});
    case Kind::kIn: return InList(e, args[0], args[1], stretch);
    case Kind::kExists:
      return args[0].kind == Bounds::Kind::kUnknown ? Unknown() : ExactBool(true);
    case Kind::kAdd: case Kind::kSubtract: case Kind::kMultiply: case Kind::kDivide:
      return Combined(e.kind, args[0], args[1]);
    case Kind::kMin: case Kind::kMax: {
      Bounds best = args[0];
      for (const Bounds& arg : args) best = Combined(e.kind, best, arg);
      return best;
    }
    case Kind::kNegate: return Negated(args[0]);
    case Kind::kAbs: return Absolute(args[0]);
    case Kind::kRound: return Rounded(args[0]);
    case Kind::kLog1p: return Logarithm(args[0]);
    case Kind::kClamp: return Clamped(args);
    case Kind::kScale: return Scaled(args);
    case Kind::kCoalesce: return Coalesced(args);
    default: return Unknown();
  }
}

Bounds Composite(const Expression& e, const Stretch& stretch) {
  std::vector<Bounds> args;
  for (const ExpressionPtr& arg : e.args) args.push_back(Over(*arg, stretch));
  if (std::all_of(args.begin(), args.end(), [](const Bounds& b) { return b.IsExact(); })) {
    return ExactIf(true, e, stretch);
  }
  return Operation(e, args, stretch);
}

Bounds OverKeys(const Expression& e, const Stretch& stretch) {
  std::vector<Bounds> all;
  for (const Value& key : KeysAt(e.path, stretch.history, stretch.from)) {
    const History restricted = stretch.history.Restricted(e.path, key);
    all.push_back(Over(*e.args[0], {restricted, stretch.from, stretch.to}));
  }
  if (e.kind == Kind::kSome) return Any(all);
  return ExactIf(std::all_of(all.begin(), all.end(), [](const Bounds& b) { return b.IsExact(); }),
                 e, stretch);
}

Bounds Over(const Expression& e, const Stretch& stretch) {
  const Plan& plan = stretch.history.plan();
  if (stretch.from == stretch.to) return ExactIf(true, e, stretch);
  switch (e.kind) {
    case Kind::kLiteral:
    case Kind::kTrait:
    case Kind::kBucket:
    case Kind::kConsent:
    case Kind::kScore:
    case Kind::kCluster:
      return ExactIf(true, e, stretch);
    case Kind::kMetric: return Over(*plan.FindMetric(e.text)->value, stretch);
    case Kind::kInSegment: {
      const Stretch whole{stretch.history.whole(), stretch.from, stretch.to};
      return Not(Not(Over(*plan.FindSegment(e.text)->when, whole)));
    }
    case Kind::kInSegmentFor:
      return ExactIf(IsMembershipSteady(e, stretch), e, stretch);
    case Kind::kEntered:
    case Kind::kLeft:
      return ExactIf(AreChangesSteady(e, stretch), e, stretch);
    case Kind::kSequence:
    case Kind::kSequenceDepth:
    case Kind::kSequenceMatches:
      return ExactIf(AreStepsSteady(e, stretch), e, stretch);
    case Kind::kSome:
    case Kind::kTop:
      return OverKeys(e, stretch);
    case Kind::kAggregate: return OverAggregate(e, stretch);
    case Kind::kHour: return ExactIf(SamePeriod(stretch, &LocalTime::HourStart), e, stretch);
    case Kind::kWeekday: case Kind::kDate:
      return ExactIf(SamePeriod(stretch, &LocalTime::DayStart), e, stretch);
    default: return Composite(e, stretch);
  }
}

}  // namespace

Bounds BoundsOver(const Expression& expression, const History& history, Millis from, Millis to) {
  if (history.HasRecordIn(from, to)) return Unknown();
  return Over(expression, {history, from, to});
}

}  // namespace attune::oracle
