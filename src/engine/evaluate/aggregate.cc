// Aggregates: from a running total, from the events of a window, from sessions.
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

}  // namespace

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

}  // namespace attune
