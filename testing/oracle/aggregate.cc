#include "oracle/aggregate.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "oracle/window.h"

namespace attune::oracle {
namespace {

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

// Each value once, the latest first.
std::vector<Value> LatestFirst(const std::vector<Value>& values) {
  std::vector<Value> distinct;
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    const auto same = [&](const Value& other) { return Identical(*value, other); };
    if (std::none_of(distinct.begin(), distinct.end(), same)) distinct.push_back(*value);
  }
  return distinct;
}

// The declared type decides. If undeclared: numbers if there is one, else strings, else times.
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

std::vector<double> NumbersOf(const Expression& e, const History& history, Millis t) {
  return Numbers(Values(e, history, t));
}

Value Number(size_t n) { return Value::Number(static_cast<double>(n)); }

// With a property: the events that have it.
Value Count(const Expression& e, const History& history, Millis t) {
  return Number(e.path.keys.empty() ? Selected(e, history, t).size() : Values(e, history, t).size());
}

Value Sum(const Expression& e, const History& history, Millis t) {
  return Value::Number(ExactSum(NumbersOf(e, history, t)));
}

Value Average(const Expression& e, const History& history, Millis t) {
  const std::vector<double> numbers = NumbersOf(e, history, t);
  if (numbers.empty()) return Value();
  return Value::Number(ExactSum(numbers) / static_cast<double>(numbers.size()));
}

Value Least(const Expression& e, const History& history, Millis t) {
  return Extreme(e, Values(e, history, t), true);
}

Value Greatest(const Expression& e, const History& history, Millis t) {
  return Extreme(e, Values(e, history, t), false);
}

Value Distinct(const Expression& e, const History& history, Millis t) {
  return Number(LatestFirst(Values(e, history, t)).size());
}

Value First(const Expression& e, const History& history, Millis t) {
  const std::vector<Value> values = Values(e, history, t);
  return values.empty() ? Value() : values.front();
}

Value Last(const Expression& e, const History& history, Millis t) {
  const std::vector<Value> values = Values(e, history, t);
  return values.empty() ? Value() : values.back();
}

// The most frequent value; of equally frequent ones, the latest.
Value Mode(const Expression& e, const History& history, Millis t) {
  const std::vector<Value> values = Values(e, history, t);
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

// Nearest rank. The small subtraction keeps 0.9 * 10 from becoming the tenth of ten.
Value Quantile(const Expression& e, const History& history, Millis t) {
  std::vector<double> numbers = NumbersOf(e, history, t);
  if (numbers.empty()) return Value();
  std::sort(numbers.begin(), numbers.end());
  const double n = static_cast<double>(numbers.size());
  const double rank = std::max(1.0, std::ceil(e.number * n - 1e-9));
  return Value::Number(numbers[static_cast<size_t>(std::min(rank, n)) - 1]);
}

Value ListOf(const Expression& e, const History& history, Millis t) {
  std::vector<Value> list = LatestFirst(Values(e, history, t));
  if (list.empty()) return Value();
  list.resize(std::min(list.size(), static_cast<size_t>(e.number)));
  return history.KeepList(std::move(list));
}

Value FirstTime(const Expression& e, const History& history, Millis t) {
  const Entries events = Selected(e, history, t);
  return events.empty() ? Value() : Value::Time(events.front()->time());
}

Value LastTime(const Expression& e, const History& history, Millis t) {
  const Entries events = Selected(e, history, t);
  return events.empty() ? Value() : Value::Time(events.back()->time());
}

Value Since(const Expression& e, const History& history, Millis t) {
  const Entries events = Selected(e, history, t);
  return events.empty() ? Value() : Value::Duration(t - events.back()->time());
}

Value Age(const Expression& e, const History& history, Millis t) {
  const Entries events = Selected(e, history, t);
  return events.empty() ? Value() : Value::Duration(t - events.front()->time());
}

// Sessions whose first event is in the window.
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

// The number of stretches (t - (k+1) * length, t - k * length] that contain an event.
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

using Steady = AggregateRule::Steady;

constexpr AggregateRule kRules[] = {
    {.name = "sum", .value = Sum, .drawn = 2},
    {.name = "avg", .value = Average, .drawn = 2},
    {.name = "min", .value = Least, .drawn = 1},
    {.name = "max", .value = Greatest, .drawn = 1},
    {.name = "distinct", .value = Distinct, .drawn = 1},
    {.name = "quantile", .value = Quantile, .drawn = 2},
    {.name = "first", .value = First, .drawn = 1},
    {.name = "last", .value = Last, .drawn = 1},
    {.name = "mode", .value = Mode, .drawn = 2},
    {.name = "count", .value = Count, .drawn = 1},
    {.name = "list", .value = ListOf},
    {.name = "first_time", .value = FirstTime},
    {.name = "last_time", .value = LastTime},
    {.name = "since", .value = Since, .moves = true},
    {.name = "age", .value = Age, .moves = true},
    {.name = "sessions", .value = SessionsBegun, .steady = Steady::kSessions},
    {.name = "duration", .value = SessionDuration, .steady = Steady::kSessions},
    {.name = "periods", .value = Periods, .steady = Steady::kStretches},
};

}  // namespace

std::span<const AggregateRule> AggregateRules() { return kRules; }

const AggregateRule& RuleOf(const Expression& e) {
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const AggregateRule& r) {
    return r.name == e.aggregate->name;
  });
  ATTUNE_CHECK(rule != std::end(kRules), "every aggregate has a rule");
  return *rule;
}

double ExactSum(const std::vector<double>& numbers) {
  // Shewchuk's partial sums: they never overlap, and their sum is exact.
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
  // Half-way cases: the sign of the remaining parts decides the direction of the last rounding.
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
