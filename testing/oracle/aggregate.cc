#include "oracle/aggregate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

using Kind = Expression::Kind;

Entries Selected(const Expression& e, const History& history, Millis t) {
  Entries found;
  for (const Entry* entry : EventsIn(e.window, history, t)) {
    if (Selects(e.selector, *entry, history)) found.push_back(entry);
  }
  return found;
}

// The property's values in order; events without it, and lists, are skipped.
std::vector<Value> Values(const Expression& e, const History& history, Millis t) {
  std::vector<Value> values;
  for (const Entry* entry : Selected(e, history, t)) {
    const Value value = PropertyOf(*entry, e.path);
    if (!value.is_null() && value.type() != Type::kList) values.push_back(value);
  }
  return values;
}

std::vector<Value> OfType(const std::vector<Value>& values, Type type) {
  std::vector<Value> found;
  for (const Value& value : values) {
    if (value.type() == type) found.push_back(value);
  }
  return found;
}

std::vector<double> Numbers(const std::vector<Value>& values) {
  std::vector<double> numbers;
  for (const Value& value : OfType(values, Type::kNumber)) numbers.push_back(value.number());
  return numbers;
}

// Each value once, the one seen last first.
std::vector<Value> LatestFirst(const std::vector<Value>& values) {
  std::vector<Value> distinct;
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    const auto same = [&](const Value& other) { return Identical(*value, other); };
    if (std::none_of(distinct.begin(), distinct.end(), same)) distinct.push_back(*value);
  }
  return distinct;
}

Value Mode(const std::vector<Value>& values) {
  Value mode;
  int64_t most = 0;
  for (const Value& value : LatestFirst(values)) {
    const int64_t count = std::count_if(values.begin(), values.end(),
                                        [&](const Value& v) { return Identical(v, value); });
    if (count > most) {
      most = count;
      mode = value;
    }
  }
  return mode;
}

// The declared type decides; undeclared: numbers if there is one, else strings, else times.
Value Extreme(const Expression& e, const std::vector<Value>& all, bool least) {
  std::vector<Value> values;
  if (!e.dynamic) {
    values = OfType(all, e.type);
  } else {
    for (const Type type : {Type::kNumber, Type::kString, Type::kTime}) {
      if (values.empty()) values = OfType(all, type);
    }
  }
  if (values.empty()) return Value();
  const auto before = [](const Value& a, const Value& b) { return Order(a, b) < 0; };
  return least ? *std::min_element(values.begin(), values.end(), before)
               : *std::max_element(values.begin(), values.end(), before);
}

// Nearest rank. The small step back keeps 0.9 * 10 from becoming the tenth of ten.
Value Quantile(double share, std::vector<double> numbers) {
  if (numbers.empty()) return Value();
  std::sort(numbers.begin(), numbers.end());
  const double n = static_cast<double>(numbers.size());
  const double rank = std::max(1.0, std::ceil(share * n - 1e-9));
  return Value::Number(numbers[static_cast<size_t>(std::min(rank, n)) - 1]);
}

Value OverProperty(const Expression& e, const History& history, Millis t) {
  const std::vector<Value> values = Values(e, history, t);
  const std::vector<double> numbers = Numbers(values);
  switch (e.kind) {
    case Kind::kSum: return Value::Number(ExactSum(numbers));
    case Kind::kAvg:
      if (numbers.empty()) return Value();
      return Value::Number(ExactSum(numbers) / static_cast<double>(numbers.size()));
    case Kind::kAggregateMin: return Extreme(e, values, true);
    case Kind::kAggregateMax: return Extreme(e, values, false);
    case Kind::kDistinct: return Value::Number(static_cast<double>(LatestFirst(values).size()));
    case Kind::kFirst: return values.empty() ? Value() : values.front();
    case Kind::kLast: return values.empty() ? Value() : values.back();
    case Kind::kMode: return Mode(values);
    case Kind::kQuantile: return Quantile(e.number, numbers);
    case Kind::kListOf: {
      std::vector<Value> list = LatestFirst(values);
      if (list.empty()) return Value();
      list.resize(std::min(list.size(), static_cast<size_t>(e.number)));
      return history.KeepList(std::move(list));
    }
    default: break;
  }
  ATTUNE_CHECK(false, "the caller sends aggregates over a property alone");
  return Value();
}

Value OverEvents(const Expression& e, const History& history, Millis t) {
  if (e.kind == Kind::kCount && !e.path.keys.empty()) {  // the events that have the property
    return Value::Number(static_cast<double>(Values(e, history, t).size()));
  }
  const Entries events = Selected(e, history, t);
  if (e.kind == Kind::kCount) return Value::Number(static_cast<double>(events.size()));
  if (events.empty()) return Value();
  const Millis first = events.front()->time();
  const Millis last = events.back()->time();
  switch (e.kind) {
    case Kind::kFirstTime: return Value::Time(first);
    case Kind::kLastTime: return Value::Time(last);
    case Kind::kSince: return Value::Duration(t - last);
    case Kind::kAge: return Value::Duration(t - first);
    default: break;
  }
  ATTUNE_CHECK(false, "the caller sends aggregates over events alone");
  return Value();
}

// Sessions whose first event is one that the window shows.
Value SessionsBegun(const Expression& e, const History& history, Millis t) {
  const Entries shown = EventsIn(e.window, history, t);
  int64_t count = 0;
  for (const Session& session : SessionsAt(history, t)) {
    count += std::count(shown.begin(), shown.end(), session.front());
  }
  return Value::Number(static_cast<double>(count));
}

Value SessionDuration(const Expression& e, const History& history, Millis t) {
  const Entries shown = EventsIn(e.window, history, t);
  if (shown.empty()) return Value();
  return Value::Duration(shown.back()->time() - shown.front()->time());
}

// In how many of the stretches (t - (k+1) * length, t - k * length] there was one.
Value Periods(const Expression& e, const History& history, Millis t) {
  int64_t count = 0;
  for (int64_t k = 0; k < static_cast<int64_t>(e.number); ++k) {
    const Millis end = t - k * e.window.length;
    const Millis begin = end - e.window.length;
    const auto in_stretch = [&](const Entry* entry) {
      return entry->time() > begin && entry->time() <= end && Selects(e.selector, *entry, history);
    };
    count += std::any_of(history.events().begin(), history.events().end(), in_stretch);
  }
  return Value::Number(static_cast<double>(count));
}

}  // namespace

Value Aggregated(const Expression& e, const History& history, Millis t) {
  switch (e.kind) {
    case Kind::kCount: case Kind::kFirstTime: case Kind::kLastTime:
    case Kind::kSince: case Kind::kAge:
      return OverEvents(e, history, t);
    case Kind::kSessions: return SessionsBegun(e, history, t);
    case Kind::kDuration: return SessionDuration(e, history, t);
    case Kind::kPeriods: return Periods(e, history, t);
    default: return OverProperty(e, history, t);
  }
}

double ExactSum(const std::vector<double>& numbers) {
  // Shewchuk's partial sums: they never overlap and add up to the exact sum.
  std::vector<double> partials;
  for (double x : numbers) {
    size_t kept = 0;
    for (double y : partials) {
      if (std::fabs(x) < std::fabs(y)) std::swap(x, y);
      const double high = x + y;
      const double low = y - (high - x);
      if (low != 0) partials[kept++] = low;
      x = high;
    }
    partials.resize(kept);
    partials.push_back(x);
  }
  if (partials.empty()) return 0;
  double sum = partials.back();
  partials.pop_back();
  double low = 0;
  while (!partials.empty() && low == 0) {
    const double high = sum;
    const double next = partials.back();
    partials.pop_back();
    sum = high + next;
    low = next - (sum - high);
  }
  // Half-way cases: what is still below decides which way the last rounding should have gone.
  const bool more = !partials.empty() && ((low < 0 && partials.back() < 0) ||
                                          (low > 0 && partials.back() > 0));
  if (more) {
    const double step = low * 2;
    const double other = sum + step;
    if (other - sum == step) sum = other;
  }
  return sum;
}

}  // namespace attune::oracle
