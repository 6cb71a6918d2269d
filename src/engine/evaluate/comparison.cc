// Predicates. A comparison of an aggregate with a literal is answered from the latest events only; any other predicate
// from its operands.
#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cmath>

#include "engine/evaluate/crossing.h"
#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"
#include "engine/program/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;
using Method = Aggregate::Method;

bool Counts(Kind op, double count, double bound) { return Compares(op, Value::Number(count), Value::Number(bound)); }

}  // namespace

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

Outcome Evaluator::Predicate(const attune::Node& node) {
  Value values[3];  // no predicate has more operands than `between`
  Millis until = kNever;
  Millis null_until = kAlways;  // a null operand fixes the outcome while it lasts
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

// since(S) or age(S) compared with a duration. The left side grows by one each millisecond.
Outcome Evaluator::CompareAge(const attune::Node& node) {
  const Timed age = OfAggregate(At(Child(node, 0)));
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

// Counts, distinct counts and sums of non-negative values only grow with the events in the window. So the latest events
// that together reach the bound decide, and the outcome lasts until the oldest of them leaves the window.
Outcome Evaluator::CompareGrowing(const attune::Node& node) {
  const Reach& reach = program_.reaches[node.index];
  const Series series = user_->FindSeries(reach.series);
  if (reach.inclusive ? reach.bound <= 0 : reach.bound < 0) {
    if (reach.method == Method::kSum && series.has_negative()) return Predicate(node);
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
  if (reach.method == Method::kCount) {
    deciding = CountReaches(series, bounds.low, reach.least);
  } else if (reach.method == Method::kSum) {
    if (series.has_negative()) return Predicate(node);
    deciding = SumReaches(series, bounds.low, reach.bound, reach.inclusive);
  } else {
    deciding = DistinctReaches(series, bounds.low, reach.least);
  }
  if (series.truncated()) incomplete_ = true;
  if (deciding == series.size()) return {!reach.when_reached, kNever};
  return {reach.when_reached, reach.window == WindowKind::kSliding ? Later(series.time(deciding), reach.length) : bounds.until};
}

// For min and max the latest event beyond the bound decides until it leaves the window. Numbers take precedence over other
// types, so some event is beyond the bound exactly when the extreme one is.
Outcome Evaluator::CompareExtreme(const attune::Node& node) {
  const Reach& reach = program_.reaches[node.index];
  const Series series = user_->FindSeries(reach.series);
  const Bounds bounds = BoundsOf(program_.aggregates[reach.aggregate]);
  if (bounds.none) return {false, kNever};
  const size_t from = bounds.low == kAlways ? 0 : series.CountUpTo(bounds.low);
  if (series.truncated() && from == 0) incomplete_ = true;
  if (from == series.size()) return {false, kNever};
  const Beyond beyond = {reach.bound, reach.inclusive, reach.method == Method::kMax};
  const size_t deciding = series.LatestBeyond(from, beyond, interner_);
  if (deciding < series.size()) return {reach.when_reached, bounds.sliding ? Later(series.time(deciding), reach.length) : bounds.until};
  // No event is beyond the bound. The comparison then also needs some value that compares with the bound.
  return reach.when_reached ? Outcome{false, kNever} : Predicate(node);
}

size_t Evaluator::CountReaches(const Series& series, Millis low, double least) {
  if (least > static_cast<double>(series.size())) return series.size();
  const size_t i = series.size() - static_cast<size_t>(least);
  return series.time(i) > low ? i : series.size();
}

size_t Evaluator::SumReaches(const Series& series, Millis low, double bound, bool inclusive) {
  const auto reaches = [&](double x) { return inclusive ? x >= bound : x > bound; };
  // Most bounds are reached, or windows exhausted, within a few events. A plain sum of so few terms has an error below
  // `doubt`, so it decides unless it is within `doubt` of the bound.
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
  // Most bounds are reached, or windows exhausted, within a few events.
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

// Whether a count equals the bound: the latest floor(bound) + 1 events decide.
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
  if (!bounds.sliding) {  // without events, such a window stays as it is or becomes empty at once
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

}  // namespace attune
