#include "engine/evaluate.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/hash.h"
#include "engine/crossing.h"
#include "engine/operators.h"
#include "event/event.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

Millis Later(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

bool IsComparison(Kind kind) { return kind >= Kind::kEqual && kind <= Kind::kGreaterEqual; }

bool Counts(Kind op, double count, double bound) { return Compares(op, Value::Number(count), Value::Number(bound)); }

}  // namespace

bool Beats(const Value& a, const Value& b, bool largest) {
  const auto rank = [](const Value& v) {
    return v.type() == Type::kNumber ? 0 : v.type() == Type::kString ? 1 : v.type() == Type::kTime ? 2 : 3;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (rank(a) == 3) return false;
  return largest ? Order(a, b) > 0 : Order(a, b) < 0;
}

Timed Evaluator::Evaluate(NodeId node, const UserState& user, Millis t) {
  user_ = &user;
  t_ = t;
  return Node(node);
}

bool Evaluator::Matches(NodeId filter, std::span<const Value> fields) {
  if (filter == kNone) return true;
  fields_ = fields;
  return Node(filter).value.IsTrue();
}

Timed Evaluator::Node(NodeId id) {
  const attune::Node& node = program_.nodes[id];
  switch (node.kind) {
    case Kind::kLiteral:
    case Kind::kList: return {node.literal, kNever};
    case Kind::kProperty: return {fields_[node.index], kNever};
    case Kind::kTrait: return ReadTrait(program_.traits[node.index]);
    case Kind::kAnd: return And(node, false);
    case Kind::kOr: return And(node, true);
    case Kind::kNot: {
      const Timed x = Node(Child(node, 0));
      return {Value::Bool(!x.value.IsTrue()), x.until};
    }
    case Kind::kInSegment: return {Value::Bool(user_->members.Has(node.index)), kNever};
    case Kind::kHour:
    case Kind::kWeekday:
    case Kind::kDate: return Calendar(node.kind);
    case Kind::kBucket: {
      const Sha256Digest digest = Sha256(std::string(node.literal.string()) + ":" + user_->id);
      uint64_t bits = 0;
      for (int i = 0; i < 8; ++i) bits = bits << 8 | digest[static_cast<size_t>(i)];
      return {Value::Number(static_cast<double>(bits >> 11) / 9007199254740992.0), kNever};
    }
    default: break;
  }
  if (IsComparison(node.kind)) return Compare(node);
  if (node.kind >= Kind::kIn && node.kind <= Kind::kExists) return Predicate(node);
  if (node.kind >= Kind::kAdd && node.kind <= Kind::kDivide) return Arithmetic(node);
  if (node.kind >= Kind::kNegate && node.kind <= Kind::kScale) return Function(node);
  return Aggregate(node);
}

// One operand that decides keeps deciding until it changes, whatever the others do.
Timed Evaluator::And(const attune::Node& node, bool is_or) {
  Millis decided = kAlways;
  Millis all = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Timed x = Node(Child(node, i));
    if (x.value.IsTrue() == is_or) {
      decided = std::max(decided, x.until);
      if (decided == kNever) break;
    } else {
      all = std::min(all, x.until);
    }
  }
  if (decided != kAlways) return {Value::Bool(is_or), decided};
  return {Value::Bool(!is_or), all};
}

Value Evaluator::Apply(const attune::Node& node, const Value* x) const {
  switch (node.kind) {
    case Kind::kIn: return Value::Bool(Holds(x[1], x[0]));
    case Kind::kBetween:
      return Value::Bool(Compares(Kind::kGreaterEqual, x[0], x[1]) && Compares(Kind::kLessEqual, x[0], x[2]));
    case Kind::kMatches: return Value::Bool(x[0].type() == Type::kString && node.pattern->Matches(x[0].string()));
    case Kind::kExists: return Value::Bool(!x[0].is_null());
    case Kind::kContains:
    case Kind::kStartsWith:
    case Kind::kEndsWith:
    case Kind::kIContains:
    case Kind::kIEquals: return Value::Bool(TextCompares(node.kind, x[0], x[1]));
    default: return Value::Bool(Compares(node.kind, x[0], x[1]));
  }
}

// Comparisons with a literal, the usual form of a condition, are answered from the latest events alone, and with the
// very instant at which the answer changes.
Timed Evaluator::Compare(const attune::Node& node) {
  const attune::Node& left = At(Child(node, 0));
  const attune::Node& right = At(Child(node, 1));
  if (right.kind != Kind::kLiteral || left.aggregate == kNone) return Predicate(node);
  const AggregateSpec& spec = program_.aggregates[left.aggregate];
  if (left.moving && right.literal.type() == Type::kDuration) return CompareAge(node, left, right.literal.duration());
  if (spec.series == kNone || right.literal.type() != Type::kNumber) return Predicate(node);
  const double bound = right.literal.number();
  // The latest events are not those that count where the window ends before t.
  if (spec.anchor != kNone || spec.offset != 0 || spec.window == WindowKind::kRange) return Predicate(node);
  const Series* series = user_->series.Find(spec.series);
  const bool equality = node.kind == Kind::kEqual || node.kind == Kind::kNotEqual;
  if (left.kind == Kind::kCount && equality) return CompareCount(node, spec, series, bound);
  const bool grows = left.kind == Kind::kCount || left.kind == Kind::kDistinct ||
                     (left.kind == Kind::kSum && (!series || !series->has_negative()));
  return grows && !equality ? CompareGrowing(node, left.kind, spec, series, bound) : Predicate(node);
}

// since(S) or age(S) against a duration: a straight line, one millisecond a millisecond.
Timed Evaluator::CompareAge(const attune::Node& node, const attune::Node& left, Millis bound) {
  const Timed age = Aggregate(left);
  if (age.value.is_null()) return {Value::Bool(false), age.until};
  const Millis d = age.value.duration();
  const bool now = Compares(node.kind, age.value, Value::Duration(bound));
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
  if (change == kNever) return {Value::Bool(now), age.until};
  return {Value::Bool(now), std::min(age.until, Later(t_, change - d))};
}

// Counts, numbers of distinct values and sums of what is not negative only grow with the events that are in. So the
// latest events that reach the bound decide, and the oldest of them takes the outcome with it when it leaves.
Timed Evaluator::CompareGrowing(const attune::Node& node, Kind fn, const AggregateSpec& spec, const Series* series, double bound) {
  const bool inclusive = node.kind == Kind::kGreaterEqual || node.kind == Kind::kLess;
  const bool when_reached = node.kind == Kind::kGreaterEqual || node.kind == Kind::kGreater;
  const auto reaches = [&](double x) { return inclusive ? x >= bound : x > bound; };
  if (reaches(0)) return {Value::Bool(when_reached), kNever};
  const Bounds bounds = BoundsOf(spec);
  if (bounds.none || !series) return {Value::Bool(!when_reached), kNever};
  if (series->truncated()) incomplete_ = true;
  const size_t deciding = fn == Kind::kCount ? CountReaches(*series, bounds.low, reaches)
                          : fn == Kind::kSum ? SumReaches(*series, bounds.low, reaches)
                                             : DistinctReaches(*series, bounds.low, reaches);
  if (deciding == series->size()) return {Value::Bool(!when_reached), kNever};
  return {Value::Bool(when_reached), bounds.sliding ? Later(series->time(deciding), spec.length) : bounds.until};
}

// Each gives the latest event such that it and those after it reach the bound; the series' size when even all events
// later than `low` do not.
template <typename Reaches>
size_t Evaluator::CountReaches(const Series& series, Millis low, Reaches reaches) {
  double count = 0;
  for (size_t i = series.size(); i-- > 0 && series.time(i) > low;) {
    if (reaches(++count)) return i;
  }
  return series.size();
}

template <typename Reaches>
size_t Evaluator::SumReaches(const Series& series, Millis low, Reaches reaches) {
  ExactSum sum;
  size_t i = series.size();
  for (size_t scanned = 0; scanned < 64; ++scanned) {  // most bounds are reached, or windows left, within a few events
    if (i == 0 || series.time(i - 1) <= low) return series.size();
    --i;
    if (!series.value(i).is_number()) continue;
    sum.Add(series.value(i).number());
    if (reaches(sum.value())) return i;
  }
  size_t terms;
  size_t from = series.CountUpTo(low);  // the running sums decide by bisection
  if (!reaches(series.Sum(from, series.size(), &terms).value())) return series.size();
  while (from + 1 < i) {
    const size_t middle = from + (i - from) / 2;
    (reaches(series.Sum(middle, series.size(), &terms).value()) ? from : i) = middle;
  }
  return from;
}

template <typename Reaches>
size_t Evaluator::DistinctReaches(const Series& series, Millis low, Reaches reaches) {
  uint64_t few[16];
  size_t count = 0;
  absl::flat_hash_set<uint64_t> many;
  for (size_t i = series.size(); i-- > 0 && series.time(i) > low;) {
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
    if (reaches(static_cast<double>(++count))) return i;
  }
  return series.size();
}

// Whether a count is just so many: the latest floor(bound) + 1 events decide.
Timed Evaluator::CompareCount(const attune::Node& node, const AggregateSpec& spec, const Series* series, double bound) {
  const Bounds bounds = BoundsOf(spec);
  size_t count = 0;
  const size_t most = bound < 0 ? 1 : static_cast<size_t>(std::min(bound, 1e9)) + 1;
  const size_t size = series ? series->size() : 0;
  if (!bounds.none) {
    while (count < std::min(most, size) && series->time(size - 1 - count) > bounds.low) ++count;
  }
  const bool now = Counts(node.kind, static_cast<double>(count), bound);
  if (count == 0) return {Value::Bool(now), kNever};
  if (!bounds.sliding) {  // with no event, such a window stays as it is or empties at once
    return {Value::Bool(now), Counts(node.kind, 0, bound) == now ? kNever : bounds.until};
  }
  // Events leave one by one, the oldest first. The outcome can change where the count passes the bound.
  Millis until = kNever;
  for (const double passed : {std::floor(bound), std::ceil(bound) - 1}) {
    if (passed < 0 || passed >= static_cast<double>(count) || Counts(node.kind, passed, bound) == now) continue;
    const size_t leaving = size - 1 - static_cast<size_t>(passed);
    until = std::min(until, Later(series->time(leaving), spec.length));
  }
  return {Value::Bool(now), until};
}

Timed Evaluator::Predicate(const attune::Node& node) {
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
  const Value now = Apply(node, values);
  if (null_until != kAlways) return {now, null_until};
  if (moving) until = Crossing(this, node, values, now.IsTrue()).Find(until);
  return {now, until};
}

Timed Evaluator::Arithmetic(const attune::Node& node) {
  const Timed a = Node(Child(node, 0));
  const Timed b = Node(Child(node, 1));
  return {Calculate(node.kind, a.value, b.value), std::min(a.until, b.until)};
}

Timed Evaluator::Function(const attune::Node& node) {
  Value few[3];
  std::vector<Value> many;
  Value* values = few;
  if (node.count > 3) {
    many.resize(node.count);
    values = many.data();
  }
  Millis until = kNever;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Timed x = Node(Child(node, i));
    values[i] = x.value;
    until = std::min(until, x.until);
  }
  return {CallFunction(node.kind, values, node.count), until};
}

Timed Evaluator::ReadTrait(const std::string& name) {
  if (!user_->traits) return {};
  for (const Trait& trait : *user_->traits) {
    if (trait.name == name) return {TraitValue(trait.json), kNever};
  }
  return {};
}

Value Evaluator::TraitValue(std::string_view json) {
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
      const Session* session = open ? user_->sessions.OpenAt(t_, program_.sessions) : user_->sessions.latest();
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
  return spec.total != kNone ? FromTotal(spec) : FromSeries(spec);
}

Timed Evaluator::FromTotal(const AggregateSpec& spec) {
  const Total* total = user_->totals.Find(spec.total);
  switch (spec.fn) {
    case Kind::kCount: return {Value::Number(total ? total->number : 0), kNever};
    case Kind::kSum: return {Value::Number(total ? total->number : 0), kNever};
    case Kind::kAvg:
      if (!total || total->time == 0) return {};
      return {Value::Number(total->number / static_cast<double>(total->time)), kNever};
    default: break;
  }
  if (!total) return {};
  switch (spec.fn) {
    case Kind::kFirstTime:
    case Kind::kLastTime: return {Value::Time(total->time), kNever};
    case Kind::kSince:
    case Kind::kAge: return {Value::Duration(t_ - total->time), kNever};
    default: return {Stored::FromBits(total->value).Load(interner_), kNever};
  }
}

Timed Evaluator::FromSeries(const AggregateSpec& spec) {
  static const Series kEmpty;
  const Series* found = user_->series.Find(spec.series);
  const Series& series = found ? *found : kEmpty;
  if (spec.fn == Kind::kPeriods) return Periods(spec, series);
  const Bounds bounds = BoundsOf(spec);
  size_t from = 0, to = 0;
  Millis until = bounds.until;
  if (!bounds.none) until = Range(spec, bounds, series, &from, &to);
  if (series.truncated() && from == 0) incomplete_ = true;
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
    case Kind::kAggregateMin: return Extreme(series, from, to, false);
    case Kind::kAggregateMax: return Extreme(series, from, to, true);
    case Kind::kDistinct: {
      const Value all = ListOf(series, from, to, count);
      return Value::Number(static_cast<double>(all.list().size()));
    }
    case Kind::kMode: return Mode(series, from, to);
    case Kind::kQuantile: return Quantile(series, from, to, spec.number);
    case Kind::kListOf: return ListOf(series, from, to, static_cast<size_t>(spec.number));
    default: return Value();
  }
}

Value Evaluator::Extreme(const Series& series, size_t from, size_t to, bool largest) {
  Value best;
  for (size_t i = from; i < to; ++i) {
    const Value value = series.value(i).Load(interner_);
    if (Beats(value, best, largest)) best = value;
  }
  return best.type() == Type::kBool ? Value() : best;
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
  const Sessions& sessions = user_->sessions;
  const SessionRules& rules = program_.sessions;
  if (spec.fn == Kind::kDuration) {
    const bool open = spec.window == WindowKind::kSession;
    const Session* session = open ? sessions.OpenAt(t_, rules) : sessions.latest();
    if (!session) return {};
    return {Value::Duration(session->last - session->first), open ? Later(session->last, rules.gap + 1) : kNever};
  }
  const Bounds bounds = BoundsOf(spec);
  if (bounds.none) return {Value::Number(0), bounds.until};
  const auto& all = sessions.all();
  const auto begun = [&](Millis t) {
    return std::partition_point(all.begin(), all.end(), [&](const Session& s) { return s.first <= t; });
  };
  const auto from = bounds.low == kAlways ? all.begin() : begun(bounds.low);
  const auto to = bounds.high == kNever ? all.end() : std::max(from, begun(bounds.high));
  if (sessions.truncated() && from == all.begin()) incomplete_ = true;
  Millis until = bounds.until;
  if (spec.anchor != kNone) {
    until = AnchorStays(spec, bounds, all.size(), static_cast<size_t>(from - all.begin()), static_cast<size_t>(to - all.begin()),
                        [&](size_t i) { return all[i].first; });
  }
  if (bounds.sliding) {
    if (from < to) until = std::min(until, Later(from->first, spec.length + spec.offset));
    if (spec.offset > 0 && to != all.end()) until = std::min(until, Later(to->first, spec.offset));
  }
  return {Value::Number(static_cast<double>(to - from)), until};
}

}  // namespace attune
