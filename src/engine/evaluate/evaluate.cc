#include "engine/evaluate/evaluate.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/inlined_vector.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/hash.h"
#include "crypto/sha256.h"
#include "engine/evaluate/crossing.h"
#include "engine/program/operators.h"
#include "event/event.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

Millis Later(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

// Of an instant that may be kAlways or kNever, which stay what they are.
Millis Earlier(Millis t, Millis by) { return t == kNever || t < kAlways + by ? t : t - by; }

bool IsCondition(Kind kind) { return kind >= Kind::kAnd && kind <= Kind::kExists; }

bool IsMembership(Kind kind) {
  return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
}

bool Counts(Kind op, double count, double bound) { return Compares(op, Value::Number(count), Value::Number(bound)); }

}  // namespace

double BucketOf(std::string_view name, std::string_view user) {
  const Sha256Digest digest = Sha256(std::string(name) + ":" + std::string(user));
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits = bits << 8 | digest[i];
  return static_cast<double>(bits >> 11) / 9007199254740992.0;
}

Evaluator::Evaluator(const Program& program, const Interner& interner)
    : program_(program), interner_(interner), outer_program_(&program) {
  for (const KeySpec& keys : program.keys) within_.push_back(std::make_unique<Evaluator>(*keys.within, interner));
}

Timed Evaluator::Evaluate(NodeId node, const UserState& user, Millis t) {
  judging_ = false;
  user_ = outer_ = &user;
  t_ = t;
  return Node(node);
}

Outcome Evaluator::Judge(NodeId node, const UserState& user, Millis t) {
  judging_ = true;
  user_ = outer_ = &user;
  t_ = t;
  return Holds(node);
}

bool Evaluator::WindowOf(const AggregateSpec& spec, const UserState& user, Millis t, Millis* low, Millis* high) {
  judging_ = false;
  user_ = outer_ = &user;
  t_ = t;
  const Bounds bounds = BoundsOf(spec);
  *low = bounds.low;
  *high = bounds.high;
  return !bounds.none;
}

bool Evaluator::Matches(NodeId filter, NameId name, std::span<const Value> fields) {
  if (filter == kNone) return true;
  name_ = name;
  fields_ = fields;
  return Holds(filter).holds;
}

Timed Evaluator::Node(NodeId id) {
  const attune::Node& node = program_.nodes[id];
  switch (node.kind) {
    case Kind::kLiteral:
    case Kind::kList: return {node.literal, kNever};
    case Kind::kProperty: return {fields_[node.index], kNever};
    case Kind::kTrait: return {ReadFact(FactKind::kTrait, program_.fact_names[node.index]), kNever};
    case Kind::kConsent: return {Value::Bool(ReadFact(FactKind::kConsent, program_.fact_names[node.index]).IsTrue()), kNever};
    case Kind::kScore: return {ReadFact(FactKind::kScore, program_.fact_names[node.index]), kNever};
    case Kind::kCluster: return {ReadFact(FactKind::kCluster, program_.fact_names[node.index]), kNever};
    case Kind::kHour:
    case Kind::kWeekday:
    case Kind::kDate: return Calendar(node.kind);
    case Kind::kBucket: return {Value::Number(BucketOf(node.literal.string(), outer_->id())), kNever};
    case Kind::kSome:
    case Kind::kTop: return FromKeys(node);
    default: break;
  }
  if (IsCondition(node.kind) || IsMembership(node.kind)) {
    const Outcome outcome = Holds(id);
    return {Value::Bool(outcome.holds), outcome.until};
  }
  if (node.kind >= Kind::kAdd && node.kind <= Kind::kDivide) return Arithmetic(node);
  if (node.kind >= Kind::kNegate && node.kind <= Kind::kScale) return Function(node);
  return Aggregate(node);
}

Outcome Evaluator::Holds(NodeId id) {
  const attune::Node& node = program_.nodes[id];
  switch (node.kind) {
    case Kind::kAnd: return And(node, false);
    case Kind::kOr: return And(node, true);
    case Kind::kNot: {
      const Outcome x = Holds(Child(node, 0));
      return {!x.holds, x.until};
    }
    case Kind::kInSegment: return {outer_->Holds(node.index), kNever};
    case Kind::kInSegmentFor: return MemberFor(node);
    case Kind::kEntered:
    case Kind::kLeft: return Changed(node);
    case Kind::kNamed: {
      const std::vector<NameId>& names = program_.name_sets[node.index];
      return {std::find(names.begin(), names.end(), name_) != names.end(), kNever};
    }
    default: break;
  }
  if (!IsCondition(node.kind)) {
    const Timed x = Node(id);
    return {x.value.IsTrue(), x.until};
  }
  switch (node.shortcut) {
    case Shortcut::kReaches: return CompareGrowing(node);
    case Shortcut::kCountIs: return CompareCount(node);
    case Shortcut::kAge: return CompareAge(node);
    case Shortcut::kBeyond: return CompareExtreme(node);
    case Shortcut::kNone: break;
  }
  return Predicate(node);
}

// One operand that decides keeps deciding until it changes, whatever the others do. Judging asks no further; when that one
// changes, is early enough to see whether another decides.
Outcome Evaluator::And(const attune::Node& node, bool is_or) {
  Millis decided = kAlways;
  Millis all = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Outcome x = Holds(Child(node, i));
    if (x.holds == is_or) {
      decided = std::max(decided, x.until);
      if (judging_ || decided == kNever) break;
    } else {
      all = std::min(all, x.until);
    }
  }
  if (decided != kAlways) return {is_or, decided};
  return {!is_or, all};
}

bool Evaluator::Apply(const attune::Node& node, const Value* x) const {
  switch (node.kind) {
    case Kind::kIn: return attune::Holds(x[1], x[0]);
    case Kind::kBetween: return Compares(Kind::kGreaterEqual, x[0], x[1]) && Compares(Kind::kLessEqual, x[0], x[2]);
    case Kind::kMatches: return x[0].type() == Type::kString && node.pattern->Matches(x[0].string());
    case Kind::kExists: return !x[0].is_null();
    case Kind::kContains:
    case Kind::kStartsWith:
    case Kind::kEndsWith:
    case Kind::kIContains:
    case Kind::kIEquals: return TextCompares(node.kind, x[0], x[1]);
    default: return Compares(node.kind, x[0], x[1]);
  }
}

// since(S) or age(S) against a duration: a straight line, one millisecond a millisecond.
Outcome Evaluator::CompareAge(const attune::Node& node) {
  const Timed age = Aggregate(At(Child(node, 0)));
  const Value& literal = At(Child(node, 1)).literal;
  if (age.value.is_null()) return {false, age.until};
  const Millis bound = literal.duration();
  const Millis d = age.value.duration();
  const bool now = Compares(node.kind, age.value, literal);
  Millis change = kNever;  // the age at which the outcome changes next
  switch (node.kind) {
    case Kind::kGreaterEqual:
    case Kind::kLess:
      if (d < bound) change = bound;
      break;
    case Kind::kGreater:
    case Kind::kLessEqual:
      if (d <= bound) change = bound + 1;
      break;
    default:
      if (d <= bound) change = d < bound ? bound : bound + 1;
  }
  if (change == kNever) return {now, age.until};
  return {now, std::min(age.until, Later(t_, change - d))};
}

// Counts, numbers of distinct values and sums of what is not negative only grow with the events that are in. So the
// latest events that reach the bound decide, and the oldest of them takes the outcome with it when it leaves.
Outcome Evaluator::CompareGrowing(const attune::Node& node) {
  const Reach& reach = program_.reaches[node.index];
  const Series series = user_->FindSeries(reach.series);
  if (reach.inclusive ? reach.bound <= 0 : reach.bound < 0) {
    if (reach.fn == Kind::kSum && series.has_negative()) return Predicate(node);
    return {reach.when_reached, kNever};
  }
  if (series.size() == 0) return {!reach.when_reached, kNever};
  Bounds bounds;
  if (reach.window == WindowKind::kSliding) {
    bounds.low = t_ - reach.length;
  } else {
    bounds = BoundsOf(program_.aggregates[reach.aggregate]);
    if (bounds.none) return {!reach.when_reached, kNever};
  }
  size_t deciding;
  if (reach.fn == Kind::kCount) {
    deciding = CountReaches(series, bounds.low, reach.least);
  } else if (reach.fn == Kind::kSum) {
    if (series.has_negative()) return Predicate(node);
    deciding = SumReaches(series, bounds.low, reach.bound, reach.inclusive);
  } else {
    deciding = DistinctReaches(series, bounds.low, reach.least);
  }
  if (series.truncated()) incomplete_ = true;
  if (deciding == series.size()) return {!reach.when_reached, kNever};
  return {reach.when_reached, reach.window == WindowKind::kSliding ? Later(series.time(deciding), reach.length) : bounds.until};
}

// Of min and max the latest event beyond the bound decides, until it leaves. Numbers come before all else, so there is one
// beyond exactly when the best one is.
Outcome Evaluator::CompareExtreme(const attune::Node& node) {
  const Reach& reach = program_.reaches[node.index];
  const Series series = user_->FindSeries(reach.series);
  const Bounds bounds = BoundsOf(program_.aggregates[reach.aggregate]);
  if (bounds.none) return {false, kNever};
  const size_t from = bounds.low == kAlways ? 0 : series.CountUpTo(bounds.low);
  if (series.truncated() && from == 0) incomplete_ = true;
  if (from == series.size()) return {false, kNever};
  const Beyond beyond = {reach.bound, reach.inclusive, reach.fn == Kind::kAggregateMax};
  const size_t deciding = series.LatestBeyond(from, beyond, interner_);
  if (deciding < series.size()) return {reach.when_reached, bounds.sliding ? Later(series.time(deciding), reach.length) : bounds.until};
  // Otherwise there has to be a value that compares at all.
  return reach.when_reached ? Outcome{false, kNever} : Predicate(node);
}

size_t Evaluator::CountReaches(const Series& series, Millis low, double least) {
  if (least > static_cast<double>(series.size())) return series.size();
  const size_t i = series.size() - static_cast<size_t>(least);
  return series.time(i) > low ? i : series.size();
}

size_t Evaluator::SumReaches(const Series& series, Millis low, double bound, bool inclusive) {
  const auto reaches = [&](double x) { return inclusive ? x >= bound : x > bound; };
  // Most bounds are reached, or windows left, within a few events. A plain sum of so few terms is off by less than
  // `doubt`: unless it comes so near to the bound, it decides.
  const double doubt = bound * 1e-12;
  const size_t few = series.size() < 64 ? 0 : series.size() - 64;
  double plain = 0;
  size_t i = series.size();
  while (i > few && plain < bound - doubt) {
    if (series.time(i - 1) <= low) return series.size();
    --i;
    if (series.value(i).is_number()) plain += series.value(i).number();
  }
  if (plain > bound + doubt) return i;
  if (i == 0 && plain < bound - doubt) return series.size();
  size_t terms;
  size_t from = series.CountUpTo(low);  // exact sums decide by bisection
  if (!reaches(series.Sum(from, series.size(), &terms).value())) return series.size();
  size_t to = series.size();
  while (from + 1 < to) {
    const size_t middle = from + (to - from) / 2;
    (reaches(series.Sum(middle, series.size(), &terms).value()) ? from : to) = middle;
  }
  return from;
}

size_t Evaluator::DistinctReaches(const Series& series, Millis low, double least) const {
  if (least > static_cast<double>(series.size())) return series.size();
  uint64_t few[16];
  size_t count = 0;
  absl::flat_hash_set<uint64_t> many;
  // Most bounds are reached, or windows left, within a few events.
  const size_t scanned = series.is_long() ? std::min<size_t>(series.size(), program_.long_series) : series.size();
  for (size_t i = series.size(); i-- > 0 && series.time(i) > low;) {
    if (series.size() - i > scanned || (series.is_long() && least > static_cast<double>(scanned))) {
      const size_t found = series.LatestDistinct(static_cast<size_t>(least));
      return found < series.size() && series.time(found) > low ? found : series.size();
    }
    const uint64_t bits = series.value(i).bits();
    if (many.empty()) {
      if (std::find(few, few + count, bits) != few + count) continue;
      if (count == std::size(few)) {
        many.insert(few, few + count);
        many.insert(bits);
      } else {
        few[count] = bits;
      }
    } else if (!many.insert(bits).second) {
      continue;
    }
    if (static_cast<double>(++count) >= least) return i;
  }
  return series.size();
}

// Whether a count is just so many: the latest floor(bound) + 1 events decide.
Outcome Evaluator::CompareCount(const attune::Node& node) {
  const AggregateSpec& spec = program_.aggregates[At(Child(node, 0)).aggregate];
  const double bound = At(Child(node, 1)).literal.number();
  const Series series = user_->FindSeries(spec.series);
  const Bounds bounds = BoundsOf(spec);
  size_t count = 0;
  const size_t most = bound < 0 ? 1 : static_cast<size_t>(std::min(bound, 1e9)) + 1;
  const size_t size = series.size();
  if (!bounds.none) {
    while (count < std::min(most, size) && series.time(size - 1 - count) > bounds.low) ++count;
  }
  const bool now = Counts(node.kind, static_cast<double>(count), bound);
  if (count == 0) return {now, kNever};
  if (!bounds.sliding) {  // with no event, such a window stays as it is or empties at once
    return {now, Counts(node.kind, 0, bound) == now ? kNever : bounds.until};
  }
  // Events leave one by one, the oldest first. The outcome can change where the count passes the bound.
  Millis until = kNever;
  for (const double passed : {std::floor(bound), std::ceil(bound) - 1}) {
    if (passed < 0 || passed >= static_cast<double>(count) || Counts(node.kind, passed, bound) == now) continue;
    const size_t leaving = size - 1 - static_cast<size_t>(passed);
    until = std::min(until, Later(series.time(leaving), spec.length));
  }
  return {now, until};
}

Outcome Evaluator::Predicate(const attune::Node& node) {
  Value values[3];  // no predicate has more operands than `between`
  Millis until = kNever;
  Millis null_until = kAlways;  // a null operand decides while it lasts
  bool moving = false;
  for (uint32_t i = 0; i < node.count; ++i) {
    const NodeId child = Child(node, i);
    const Timed x = Node(child);
    values[i] = x.value;
    until = std::min(until, x.until);
    moving |= At(child).moving;
    if (x.value.is_null() && !At(child).moving) null_until = std::max(null_until, x.until);
  }
  const bool now = Apply(node, values);
  if (null_until != kAlways) return {now, null_until};
  if (moving) {
    until = Crossing(this, node, values, now).Find(until);
  } else if (patient_) {
    until = ClockStays(node, values, now, until);
  }
  return {now, until};
}

Timed Evaluator::Arithmetic(const attune::Node& node) {
  const Timed a = Node(Child(node, 0));
  const Timed b = Node(Child(node, 1));
  return {Calculate(node.kind, a.value, b.value), std::min(a.until, b.until)};
}

Timed Evaluator::Function(const attune::Node& node) {
  absl::InlinedVector<Value, 3> values;
  Millis until = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Timed x = Node(Child(node, i));
    values.push_back(x.value);
    until = std::min(until, x.until);
  }
  return {CallFunction(node.kind, values.data(), node.count), until};
}

Value Evaluator::ReadFact(FactKind kind, const std::string& name) {
  const Fact* fact = outer_->FindFact(kind, name);
  return fact ? FactValue(fact->json) : Value();
}

Value Evaluator::FactValue(std::string_view json) {
  if (json == "true" || json == "false") return Value::Bool(json == "true");
  if (json.size() >= 2 && json.front() == '"' && json.find('\\') == std::string_view::npos) {
    return Value::String(json.substr(1, json.size() - 2));
  }
  double number;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
  if (error == std::errc() && end == json.data() + json.size()) return Value::Number(number);
  // Escaped text and lists: the reader that events go through. A value lives as long as its reader.
  readers_.emplace_back();
  if (!readers_.back().Open("{\"traits\":{\"value\":" + std::string(json) + "}}").ok()) return Value();
  static const std::vector<std::string> kKeys = {"value"};
  return readers_.back().Find("traits", kKeys);
}

std::span<const Millis> Evaluator::ChangesOf(ConditionId segment) {
  const Memberships* memberships = outer_->memberships();
  if (!memberships) return {};
  if (memberships->truncated()) incomplete_ = true;
  return memberships->changes(outer_program_->tracked_of_segment[segment]);
}

Outcome Evaluator::MemberFor(const attune::Node& node) {
  const std::span<const Millis> changes = ChangesOf(node.index);
  if (changes.size() % 2 == 0) return {false, kNever};
  const Millis reached = Later(changes.back(), program_.aggregates[node.aggregate].length);
  return {reached <= t_, reached <= t_ ? kNever : reached};
}

// Whether there is a change of that kind among those that the window shows: the last one to leave it decides until when.
Outcome Evaluator::Changed(const attune::Node& node) {
  const AggregateSpec& spec = program_.aggregates[node.aggregate];
  const Bounds bounds = BoundsOf(spec);
  if (bounds.none) return {false, bounds.until};
  const std::span<const Millis> changes = ChangesOf(node.index);
  const size_t first = node.kind == Kind::kEntered ? 0 : 1;
  const size_t size = (changes.size() + 1 - first) / 2;
  const auto time = [&](size_t i) { return changes[2 * i + first]; };
  const auto up_to = [&](Millis t) {
    const auto count = static_cast<size_t>(std::upper_bound(changes.begin(), changes.end(), t) - changes.begin());
    return (count + 1 - first) / 2;
  };
  const size_t from = bounds.low == kAlways ? 0 : up_to(bounds.low);
  const size_t to = bounds.high == kNever ? size : std::max(from, up_to(bounds.high));
  const bool shown = from < to;
  if (spec.anchor != kNone) return {shown, AnchorStays(spec, bounds, size, from, to, time)};
  if (!bounds.sliding) return {shown, shown ? bounds.until : kNever};
  if (shown) return {true, Later(time(to - 1), spec.length + spec.offset)};
  return {false, to < size ? Later(time(to), spec.offset) : kNever};
}

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

// Where exactly one operand is hour(), weekday() or date(), the outcome is a function of its value while the others last.
Millis Evaluator::ClockStays(const attune::Node& node, const Value* values, bool now, Millis until) {
  constexpr int kHours = 4 * 24;  // every hour has come by then, even if a clock change skips some
  constexpr int kDays = 4 * 7;
  constexpr Millis kLatest = 300'000'000'000'000;  // the year 11476: no event is as late
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
  // date() only rises, so the outcome can change only where it reaches or passes one of the times it is compared with.
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

// A moving anchor leaves the window's events as they are while neither end of the window passes one. The window holds
// the instants [from, to) of `size` ordered ones.
template <typename TimeOf>
Millis Evaluator::AnchorStays(const AggregateSpec& spec, const Bounds& bounds, size_t size, size_t from, size_t to, TimeOf time) {
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

Timed Evaluator::Aggregate(const attune::Node& node) {
  const AggregateSpec& spec = program_.aggregates[node.aggregate];
  if (spec.fn == Kind::kSessions || spec.fn == Kind::kDuration) return FromSessions(spec);
  if (spec.sequence != kNone) return FromSequence(spec);
  return spec.total != kNone ? FromTotal(spec) : FromSeries(spec);
}

Timed Evaluator::FromTotal(const AggregateSpec& spec) {
  const uint64_t* words = user_->FindTotal(program_.totals[spec.total].slot);
  if (!words) return {spec.fn == Kind::kCount || spec.fn == Kind::kSum ? Value::Number(0) : Value(), kNever};
  switch (spec.fn) {
    case Kind::kCount:
    case Kind::kSum: return {Value::Number(std::bit_cast<double>(words[0])), kNever};
    case Kind::kAvg: {
      const double terms = std::bit_cast<double>(*user_->FindTotal(program_.totals[spec.terms].slot));
      return {Value::Number(std::bit_cast<double>(words[0]) / terms), kNever};
    }
    case Kind::kFirstTime:
    case Kind::kLastTime: return {Value::Time(static_cast<Millis>(words[0])), kNever};
    case Kind::kSince:
    case Kind::kAge: return {Value::Duration(t_ - static_cast<Millis>(words[0])), kNever};
    default: return {Stored::FromBits(words[0]).Load(interner_), kNever};
  }
}

Timed Evaluator::FromSeries(const AggregateSpec& spec) {
  const Series series = user_->FindSeries(spec.series);
  if (spec.fn == Kind::kPeriods) return Periods(spec, series);
  const Bounds bounds = BoundsOf(spec);
  size_t from = 0, to = 0;
  Millis until = bounds.until;
  if (!bounds.none) until = Range(spec, bounds, series, &from, &to);
  if (series.truncated() && from == 0) incomplete_ = true;
  if (from < to) {
    if (spec.fn == Kind::kAggregateMin || spec.fn == Kind::kAggregateMax) return Extreme(spec, bounds, series, from, to, until);
    if (spec.fn == Kind::kDistinct) return Distinct(spec, bounds, series, from, to, until);
  }
  const bool last = spec.fn == Kind::kLast || spec.fn == Kind::kLastTime || spec.fn == Kind::kSince;
  // The latest event is the last to leave a sliding window.
  if (last && bounds.sliding && spec.offset == 0 && from < to) until = Later(series.time(to - 1), spec.length);
  return {Summarise(spec, series, from, to), until};
}

Value Evaluator::Summarise(const AggregateSpec& spec, const Series& series, size_t from, size_t to) {
  const size_t count = to - from;
  if (spec.fn == Kind::kCount) return Value::Number(static_cast<double>(count));
  if (spec.fn == Kind::kSum || spec.fn == Kind::kAvg) {
    size_t terms = 0;
    const double sum = count == 0 ? 0 : series.Sum(from, to, &terms).value();
    if (spec.fn == Kind::kSum) return Value::Number(sum);
    return terms == 0 ? Value() : Value::Number(sum / static_cast<double>(terms));
  }
  if (spec.fn == Kind::kDistinct && count == 0) return Value::Number(0);
  if (count == 0) return Value();
  switch (spec.fn) {
    case Kind::kFirst: return series.value(from).Load(interner_);
    case Kind::kLast: return series.value(to - 1).Load(interner_);
    case Kind::kFirstTime: return Value::Time(series.time(from));
    case Kind::kLastTime: return Value::Time(series.time(to - 1));
    case Kind::kSince: return Value::Duration(t_ - series.time(to - 1));
    case Kind::kAge: return Value::Duration(t_ - series.time(from));
    case Kind::kMode: return Mode(series, from, to);
    case Kind::kQuantile: return Quantile(series, from, to, spec.number);
    case Kind::kListOf: return ListOf(series, from, to, static_cast<size_t>(spec.number));
    default: return Value();
  }
}

Timed Evaluator::Extreme(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t from, size_t to, Millis until) {
  const size_t i = series.Extreme(from, to, spec.fn == Kind::kAggregateMax, interner_);
  const Value best = series.value(i).Load(interner_);
  // Of a sliding window, what another beats may leave, and it stays; one that comes in may be better.
  if (bounds.sliding) {
    until = Later(series.time(i), spec.length + spec.offset);
    if (spec.offset > 0 && to < series.size()) until = std::min(until, Later(series.time(to), spec.offset));
  }
  return {best.type() == Type::kBool ? Value() : best, until};
}

Timed Evaluator::Distinct(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t from, size_t to, Millis until) {
  const size_t count = to - from;
  if (!series.is_long() || count <= program_.long_series || to < series.size()) {
    const Value all = ListOf(series, from, to, count);
    return {Value::Number(static_cast<double>(all.list().size())), until};
  }
  // An event whose value comes again later leaves nothing behind.
  if (bounds.sliding) until = Later(series.time(series.FirstLastOfEach(from)), spec.length + spec.offset);
  return {Value::Number(static_cast<double>(series.DistinctFrom(from))), until};
}

Value Evaluator::Mode(const Series& series, size_t from, size_t to) {
  absl::flat_hash_map<uint64_t, size_t> counts;
  size_t most = 0;
  for (size_t i = from; i < to; ++i) most = std::max(most, ++counts[series.value(i).bits()]);
  for (size_t i = to; i-- > from;) {
    if (counts[series.value(i).bits()] == most) return series.value(i).Load(interner_);
  }
  return Value();
}

Value Evaluator::ListOf(const Series& series, size_t from, size_t to, size_t limit) {
  lists_.emplace_back();
  std::vector<Value>& items = lists_.back();
  constexpr size_t kCompared = 16;  // up to so many distinct values are compared one by one
  absl::flat_hash_map<uint64_t, bool> many;
  std::vector<uint64_t> few;
  for (size_t i = to; i-- > from && items.size() < limit;) {
    const uint64_t bits = series.value(i).bits();
    if (many.empty()) {
      if (std::find(few.begin(), few.end(), bits) != few.end()) continue;
      few.push_back(bits);
      if (few.size() > kCompared) {
        for (const uint64_t one : few) many.emplace(one, true);
      }
    } else if (!many.emplace(bits, true).second) {
      continue;
    }
    items.push_back(series.value(i).Load(interner_));
  }
  return Value::List(items);
}

// The value of rank ceil(share * n), counted from 1.
Value Evaluator::Quantile(const Series& series, size_t from, size_t to, double share) {
  std::vector<double> numbers;
  for (size_t i = from; i < to; ++i) {
    if (series.value(i).is_number()) numbers.push_back(series.value(i).number());
  }
  if (numbers.empty()) return Value();
  // A share such as 0.55 is not exact in binary: 0.55 * 100 must not become rank 56.
  const double rank = std::ceil(share * static_cast<double>(numbers.size()) - 1e-9);
  const size_t index = rank < 1 ? 0 : std::min(numbers.size(), static_cast<size_t>(rank)) - 1;
  std::nth_element(numbers.begin(), numbers.begin() + static_cast<ptrdiff_t>(index), numbers.end());
  return Value::Number(numbers[index]);
}

// A stretch changes between empty and not when its oldest event leaves it for the next, or its only one does.
Timed Evaluator::Periods(const AggregateSpec& spec, const Series& series) {
  double happened = 0;
  Millis until = kNever;
  if (series.truncated()) incomplete_ = true;
  size_t to = series.size();
  for (int k = 1; k <= static_cast<int>(spec.number) && to > 0; ++k) {
    const Millis length = spec.length * k;
    const size_t from = series.CountUpTo(t_ - length);
    if (from < to) {
      ++happened;
      until = std::min(until, Later(series.time(from), length));
    }
    to = from;
  }
  return {Value::Number(happened), until};
}

Timed Evaluator::FromSessions(const AggregateSpec& spec) {
  const Sessions& sessions = outer_->sessions;
  const SessionRules& rules = program_.sessions;
  if (spec.fn == Kind::kDuration) {
    const bool open = spec.window == WindowKind::kSession;
    const Session* session = open ? sessions.OpenAt(t_, rules) : sessions.latest();
    if (!session) return {};
    return {Value::Duration(session->last - session->first), open ? Later(session->last, rules.gap + 1) : kNever};
  }
  const Bounds bounds = BoundsOf(spec);
  if (bounds.none) return {Value::Number(0), bounds.until};
  const size_t from = bounds.low == kAlways ? 0 : sessions.CountUpTo(bounds.low);
  const size_t to = bounds.high == kNever ? sessions.size() : std::max(from, sessions.CountUpTo(bounds.high));
  if (sessions.truncated() && from == 0) incomplete_ = true;
  Millis until = bounds.until;
  if (spec.anchor != kNone) {
    until = AnchorStays(spec, bounds, sessions.size(), from, to, [&](size_t i) { return sessions[i].first; });
  }
  if (bounds.sliding) {
    if (from < to) until = std::min(until, Later(sessions[from].first, spec.length + spec.offset));
    if (spec.offset > 0 && to < sessions.size()) until = std::min(until, Later(sessions[to].first, spec.offset));
  }
  return {Value::Number(static_cast<double>(to - from)), until};
}

Timed Evaluator::FromSequence(const AggregateSpec& spec) {
  const auto value = [&](double x) { return spec.fn == Kind::kSequence ? Value::Bool(x > 0) : Value::Number(x); };
  const Bounds bounds = BoundsOf(spec);
  const SequenceState* state = spec.outer ? outer_->sequences() : user_->sequences();
  if (bounds.none || !state) return {value(0), bounds.until};
  // The sequence of a range sees no other events.
  const bool range = spec.window == WindowKind::kRange;
  const Millis low = range ? kAlways : bounds.low;
  const Millis high = range ? kNever : bounds.high;
  const SequenceReading reading = spec.outer ? state->ReadRestricted(outer_program_->sequences, spec.sequence, low, high, restriction_)
                                             : state->Read(program_.sequences, spec.sequence, low, high);
  if (reading.incomplete) incomplete_ = true;
  return {value(reading.value), SequenceStays(spec, bounds, reading)};
}

Millis Evaluator::SequenceStays(const AggregateSpec& spec, const Bounds& bounds, const SequenceReading& reading) {
  if (bounds.sliding) {
    const Millis left = Later(reading.low_to, spec.length + spec.offset);
    return spec.offset == 0 ? left : std::min(left, Later(reading.high_to, spec.offset));
  }
  if (spec.anchor == kNone) return reading.value > 0 ? bounds.until : kNever;
  if (bounds.low == kAlways || !At(spec.anchor).moving) return bounds.until;
  Millis low = reading.low_from;
  Millis high = reading.low_to;
  if (bounds.high != kNever) {
    low = std::max(low, Earlier(reading.high_from, spec.length));
    high = std::min(high, Earlier(reading.high_to, spec.length));
  }
  return Crossing(this, spec.anchor, Value::Time(bounds.low), low, high).Find(bounds.until);
}

}  // namespace attune
