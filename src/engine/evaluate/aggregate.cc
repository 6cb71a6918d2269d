// Aggregates: computed from a running total, the events of a window, or sessions.
#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <bit>

#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"

namespace attune {
namespace {

using WindowKind = Window::Kind;
using Method = Aggregate::Method;

}  // namespace

Timed Evaluator::OfAggregate(const attune::Node& node) {
  const AggregateSpec& spec = program_.aggregates[node.aggregate];
  if (spec.total != kNone) return FromTotal(spec);
  if (spec.series != kNone) return FromSeries(spec);
  return spec.sequence != kNone ? FromSequence(spec) : FromSessions(spec);
}

Timed Evaluator::FromTotal(const AggregateSpec& spec) {
  const TotalSpec& total = program_.totals[spec.total];
  const uint64_t* words = user_->FindTotal(total.slot);
  if (!words) return {spec.aggregate->zero_of_nothing ? Value::Number(0) : Value(), kNever};
  switch (total.kind) {
    case RunningTotal::kCount:
    case RunningTotal::kTerms: return {Value::Number(std::bit_cast<double>(words[0])), kNever};
    case RunningTotal::kSum: {
      const double sum = std::bit_cast<double>(words[0]);
      if (spec.terms == kNone) return {Value::Number(sum), kNever};
      return {Value::Number(sum / std::bit_cast<double>(*user_->FindTotal(program_.totals[spec.terms].slot))), kNever};
    }
    case RunningTotal::kFirstTime:
    case RunningTotal::kLastTime: {
      const auto time = static_cast<Millis>(words[0]);
      return {spec.aggregate->moves ? Value::Duration(t_ - time) : Value::Time(time), kNever};
    }
    default: return {Stored::FromBits(words[0]).Load(interner_), kNever};
  }
}

Timed Evaluator::FromSeries(const AggregateSpec& spec) {
  const Series series = user_->FindSeries(spec.series);
  if (spec.method == Method::kStretches) return Stretches(spec, series);
  const Bounds bounds = BoundsOf(spec);
  size_t from = 0, to = 0;
  Millis until = bounds.until;
  if (!bounds.none) until = Range(spec, bounds, series, &from, &to);
  if (series.truncated() && from == 0) incomplete_ = true;
  if (from == to) return {spec.aggregate->zero_of_nothing ? Value::Number(0) : Value(), until};
  switch (spec.method) {
    case Method::kCount: return {Value::Number(static_cast<double>(to - from)), until};
    case Method::kSum:
    case Method::kAverage: return {Sum(spec, series, from, to), until};
    case Method::kMin:
    case Method::kMax: return Extreme(spec, bounds, series, from, to, until);
    case Method::kDistinct: return Distinct(spec, bounds, series, from, to, until);
    case Method::kList: return {ListOf(series, from, to, static_cast<size_t>(spec.number)), until};
    default: break;
  }
  // The latest event is the last to leave a sliding window.
  const bool last = spec.aggregate->latest_decides && bounds.sliding && spec.offset == 0;
  if (last) until = Later(series.time(to - 1), spec.length);
  const auto load = [&](uint64_t encoded) { return Stored::FromBits(encoded).Load(interner_); };
  const SeenEvents seen(series.times(from, to), series.encoded(from, to), load);
  return {spec.aggregate->summary(seen, t_, spec.number), until};
}

Value Evaluator::Sum(const AggregateSpec& spec, const Series& series, size_t from, size_t to) {
  size_t terms = 0;
  const double sum = series.Sum(from, to, &terms).value();
  if (spec.method == Method::kSum) return Value::Number(sum);
  return terms == 0 ? Value() : Value::Number(sum / static_cast<double>(terms));
}

Timed Evaluator::Extreme(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t from, size_t to, Millis until) {
  const size_t i = series.Extreme(from, to, spec.method == Method::kMax, interner_);
  const Value best = series.value(i).Load(interner_);
  // In a sliding window only the extreme event matters when events leave; an event that enters may beat it.
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
  // An event whose value occurs again later does not matter when it leaves.
  if (bounds.sliding) until = Later(series.time(series.FirstLastOfEach(from)), spec.length + spec.offset);
  return {Value::Number(static_cast<double>(series.DistinctFrom(from))), until};
}

Value Evaluator::ListOf(const Series& series, size_t from, size_t to, size_t limit) {
  lists_.emplace_back();
  std::vector<Value>& items = lists_.back();
  constexpr size_t kCompared = 16;  // up to this many distinct values are compared one by one
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

// A stretch changes when its oldest event moves into the next stretch.
Timed Evaluator::Stretches(const AggregateSpec& spec, const Series& series) {
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
  if (spec.method == Method::kSessionLength) {
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
