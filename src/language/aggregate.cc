#include "language/aggregate.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/time.h"

namespace attune {
namespace {

using Arguments = Aggregate::Arguments;
using Takes = Aggregate::Takes;
using Gives = Aggregate::Gives;
using Method = Aggregate::Method;
using Lies = Aggregate::Lies;
using Side = Aggregate::Side;
using Total = RunningTotal;

Value First(const SeenEvents& events, Millis, double) { return events.value(0); }
Value Last(const SeenEvents& events, Millis, double) { return events.value(events.size() - 1); }
Value FirstTime(const SeenEvents& events, Millis, double) { return Value::Time(events.time(0)); }
Value LastTime(const SeenEvents& events, Millis, double) { return Value::Time(events.time(events.size() - 1)); }
Value Age(const SeenEvents& events, Millis t, double) { return Value::Duration(t - events.time(0)); }
Value Since(const SeenEvents& events, Millis t, double) { return Value::Duration(t - events.time(events.size() - 1)); }

// The most frequent value; of equally frequent ones, the latest.
Value Mode(const SeenEvents& events, Millis, double) {
  absl::flat_hash_map<uint64_t, size_t> counts;
  size_t most = 0;
  for (size_t i = 0; i < events.size(); ++i) most = std::max(most, ++counts[events.encoded(i)]);
  for (size_t i = events.size(); i-- > 0;) {
    if (counts[events.encoded(i)] == most) return events.value(i);
  }
  return Value();
}

// The value of rank ceil(share * n), counted from 1.
Value Quantile(const SeenEvents& events, Millis, double share) {
  std::vector<double> numbers;
  for (size_t i = 0; i < events.size(); ++i) {
    const Value value = events.value(i);
    if (value.type() == Type::kNumber) numbers.push_back(value.number());
  }
  if (numbers.empty()) return Value();
  // A share such as 0.55 is not exact in binary: 0.55 * 100 must not become rank 56.
  const double rank = std::ceil(share * static_cast<double>(numbers.size()) - 1e-9);
  const size_t index = rank < 1 ? 0 : std::min(numbers.size(), static_cast<size_t>(rank)) - 1;
  std::nth_element(numbers.begin(), numbers.begin() + static_cast<ptrdiff_t>(index), numbers.end());
  return Value::Number(numbers[index]);
}

constexpr Aggregate kAggregates[] = {
    {.name = "count", .arguments = Arguments::kEventsOrProperty, .method = Method::kCount, .zero_of_nothing = true,
     .only_rises = Side::kAtLeast, .only_falls = Side::kAtMost, .total = Total::kCount},
    // For numbers that are not negative; the engine handles others.
    {.name = "sum", .takes = Takes::kNumbers, .method = Method::kSum, .zero_of_nothing = true,
     .only_rises = Side::kAtLeast, .only_falls = Side::kAtMost, .total = Total::kSum},
    {.name = "avg", .takes = Takes::kNumbers, .method = Method::kAverage, .lies = Lies::kBetween, .total = Total::kSum},
    {.name = "min", .takes = Takes::kOrdered, .gives = Gives::kPropertyType, .method = Method::kMin,
     .lies = Lies::kBetween, .only_rises = Side::kAtMost, .total = Total::kMin},
    {.name = "max", .takes = Takes::kOrdered, .gives = Gives::kPropertyType, .method = Method::kMax,
     .lies = Lies::kBetween, .only_rises = Side::kAtLeast, .total = Total::kMax},
    {.name = "distinct", .method = Method::kDistinct, .zero_of_nothing = true, .only_rises = Side::kAtLeast,
     .only_falls = Side::kAtMost},
    {.name = "first", .gives = Gives::kPropertyType, .lies = Lies::kAmong, .total = Total::kFirst, .summary = First},
    {.name = "last", .gives = Gives::kPropertyType, .latest_decides = true, .lies = Lies::kAmong,
     .total = Total::kLast, .summary = Last},
    {.name = "mode", .gives = Gives::kPropertyType, .lies = Lies::kAmong, .summary = Mode},
    {.name = "quantile", .arguments = Arguments::kShareAndProperty, .takes = Takes::kNumbers, .lies = Lies::kBetween,
     .summary = Quantile},
    {.name = "list", .arguments = Arguments::kPropertyAndLimit, .gives = Gives::kList, .method = Method::kList},
    {.name = "first_time", .arguments = Arguments::kEvents, .gives = Gives::kTime, .total = Total::kFirstTime,
     .summary = FirstTime},
    {.name = "last_time", .arguments = Arguments::kEvents, .gives = Gives::kTime, .latest_decides = true,
     .total = Total::kLastTime, .summary = LastTime},
    {.name = "since", .arguments = Arguments::kEvents, .gives = Gives::kDuration, .latest_decides = true, .moves = true,
     .only_rises = Side::kAtMost, .total = Total::kLastTime, .summary = Since},
    {.name = "age", .arguments = Arguments::kEvents, .gives = Gives::kDuration, .moves = true,
     .only_rises = Side::kAtMost, .total = Total::kFirstTime, .summary = Age},
    {.name = "sessions", .arguments = Arguments::kWindow, .method = Method::kSessions, .zero_of_nothing = true},
    {.name = "duration", .arguments = Arguments::kSession, .gives = Gives::kDuration, .method = Method::kSessionLength},
    {.name = "periods", .arguments = Arguments::kStretches, .method = Method::kStretches, .zero_of_nothing = true,
     .only_rises = Side::kAtLeast},
};

static_assert(std::all_of(std::begin(kAggregates), std::end(kAggregates),
                          [](const Aggregate& a) { return (a.method == Method::kSummary) == (a.summary != nullptr); }),
              "a row has a summary exactly when it is answered by it");

}  // namespace

std::span<const Aggregate> Aggregates() { return kAggregates; }

const Aggregate* FindAggregate(std::string_view name) {
  const auto* found = std::find_if(std::begin(kAggregates), std::end(kAggregates),
                                   [&](const Aggregate& a) { return a.name == name; });
  return found == std::end(kAggregates) ? nullptr : found;
}

}  // namespace attune
