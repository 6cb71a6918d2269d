// The aggregates of the language, such as count(…) and first(…), in one table that the parser, the compiler and the
// engine use. docs/language.md defines them; docs/recipes/add-an-aggregate.md shows how to add one.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "event/value.h"

namespace attune {

// The events that an aggregate reads, oldest first, at least one. For an aggregate over a property: the events that
// have it. A view: its sources must outlive it.
class SeenEvents {
 public:
  // `values` are encoded so that two are equal exactly when their encodings are; `load` decodes one.
  SeenEvents(std::span<const Millis> times, std::span<const uint64_t> values, absl::FunctionRef<Value(uint64_t)> load)
      : times_(times), values_(values), load_(load) {}

  size_t size() const { return times_.size(); }
  Millis time(size_t i) const { return times_[i]; }
  // Only for an aggregate over a property.
  Value value(size_t i) const { return load_(values_[i]); }
  uint64_t encoded(size_t i) const { return values_[i]; }

 private:
  std::span<const Millis> times_;
  std::span<const uint64_t> values_;
  absl::FunctionRef<Value(uint64_t)> load_;
};

// A value that is updated at each event and answers an aggregate over all events, or those of a fixed range.
enum class RunningTotal : uint8_t {
  kCount,      // number
  kTerms,      // number: the number of terms of a sum
  kSum,        // an exact sum
  kMin, kMax,  // the value
  kFirst,      // the value, and the event's time
  kLast,
  kFirstTime,  // the time
  kLastTime,
};

struct Aggregate {
  // The arguments between the parentheses. S: a selector, p: a property, W: a window.
  enum class Arguments : uint8_t {
    kEvents,            // S[W]
    kEventsOrProperty,  // S[W] or S.p[W]
    kProperty,          // S.p[W]
    kShareAndProperty,  // a number from 0 to 1, S.p[W]
    kPropertyAndLimit,  // S.p[W], a whole number from 1 to 1000
    kWindow,            // [W]
    kSession,           // [session] or [last_session]
    kStretches,         // S, a duration, a whole number from 1 to 1000
  };
  // The property values that it reads.
  enum class Takes : uint8_t { kAny, kNumbers, kOrdered };
  enum class Gives : uint8_t { kNumber, kTime, kDuration, kList, kPropertyType };

  // How the engine computes it from the events in its window. All but the first have specific code in the engine.
  enum class Method : uint8_t {
    kSummary,  // by calling `summary`
    kCount, kSum, kAverage, kMin, kMax, kDistinct, kList,
    kSessions,       // sessions that began in the window
    kSessionLength,  // last event minus first
    kStretches,      // the number of stretches of time that hold an event
  };

  // The range of the result, relative to the values that it is computed from.
  enum class Lies : uint8_t {
    kAnywhere,
    kAmong,    // it is one of them, so it compares as they do if they all compare alike
    kBetween,  // for numbers: between the least and the greatest
  };

  // A comparison with a literal.
  enum class Side : uint8_t {
    kNeither,
    kAtLeast,  // >= or >
    kAtMost,   // <= or <
  };

  std::string_view name;
  Arguments arguments = Arguments::kProperty;
  Takes takes = Takes::kAny;
  Gives gives = Gives::kNumber;
  Method method = Method::kSummary;
  bool zero_of_nothing = false;  // 0 without events; otherwise null
  bool latest_decides = false;   // only the latest event decides the result, so no other is kept
  bool moves = false;            // the result grows by one each millisecond
  Lies lies = Lies::kAnywhere;
  // The effect of one more event in order, later than all others, on a comparison: the side that it can only turn from
  // false to true, and the side that it can only turn from true to false. If the result has the property's type, this
  // holds for literals that are numbers.
  Side only_rises = Side::kNeither;
  Side only_falls = Side::kNeither;
  std::optional<RunningTotal> total = std::nullopt;  // none: the events are read even for [ever] and ranges
  // The result at t. `number` is the number among the arguments. Text in it is valid as long as that of the events.
  Value (*summary)(const SeenEvents& events, Millis t, double number) = nullptr;

  bool IsOverSessions() const { return method == Method::kSessions || method == Method::kSessionLength; }
};

std::span<const Aggregate> Aggregates();
// Null if there is none with that name. Rows are valid for the life of the program.
const Aggregate* FindAggregate(std::string_view name);

}  // namespace attune
