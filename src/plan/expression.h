// Expressions of the behaviour language as the parser leaves them: resolved and typed, free of sugar.
// What each means is said in docs/language.md; this page says only how it is held.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "event/value.h"

namespace attune {

// Where something stands in a plan; line and column count from 1, columns in characters.
struct Location {
  int file = 0;  // index into Plan::files
  int line = 0;
  int column = 0;
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

// Which events. An event is selected when its name is one of `names` (empty: any name) and the filter is true of it.
struct Selector {
  std::vector<std::string> names;  // normalised, sorted, unique
  ExpressionPtr filter;            // over the event's properties; null when there is none
};

// When: the events seen at an instant t.
struct Window {
  enum class Kind {
    kEver,         // all
    kSliding,      // (t - offset - length, t - offset]
    kThisHour,     // since the calendar period began, in the plan's time zone
    kToday,
    kThisWeek,
    kThisMonth,
    kSession,      // the session open at t; none when none is open
    kLastSession,  // the latest session that has begun
    kRange,        // [from, to)
    kAfter,        // (anchor, anchor + length]; none when the anchor is null
    kSince,        // (anchor, t]; all when the anchor is null
  };
  Kind kind = Kind::kEver;
  Millis length = 0;
  Millis offset = 0;
  Millis from = 0;
  Millis to = 0;
  ExpressionPtr anchor;
};

// A dotted path into an event: {"price"}, {"address", "city"}; with in_context, below `context`.
struct PropertyPath {
  std::vector<std::string> keys;
  bool in_context = false;
  // Declared `time` for every event that the selector names: text is read as a time.
  bool is_time = false;
};

struct Expression {
  enum class Kind {
    kLiteral,    // literal (a string literal views `text`)
    kList,       // args: the items, all literals
    kProperty,   // path, of the event at hand (inside a selector's braces only)
    kTrait,      // text: the dotted name
    kMetric,     // text: the metric's name; means its definition

    kAnd, kOr, kNot,                                             // args
    kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual,  // args[0], args[1]
    kIn,          // args[0] in args[1], a list
    kBetween,     // args[1] <= args[0] <= args[2]
    kContains,    // text contains text, or list contains item
    kStartsWith, kEndsWith, kIContains, kIEquals,
    kMatches,     // args[0]; text: the pattern (RE2, checked)
    kExists,      // args[0] is not null

    kAdd, kSubtract, kMultiply, kDivide, kNegate,
    kCoalesce,    // args: two or more; the first that is not null
    kAbs, kMin, kMax, kRound, kLog1p,
    kClamp,       // args: x, lo, hi
    kScale,       // args: x, lo, hi

    // Over history. Those with a property skip events without it.
    kCount, kSum, kAvg, kAggregateMin, kAggregateMax, kDistinct, kFirst, kLast, kMode,
    kQuantile,    // number: the share
    kListOf,      // number: the limit
    kFirstTime, kLastTime,
    kSince,       // t - last_time(selector[window])
    kAge,         // t - first_time(selector[window])
    kSessions,    // sessions that began in the window
    kDuration,    // of the session the window names: last event minus first
    kPeriods,     // selector; window.length: a stretch; number: how many stretches

    kInSegment,   // text: the segment
    kHour, kWeekday, kDate,
    kBucket,      // text: the name hashed with the user
  };

  Kind kind = Kind::kLiteral;
  Location location;
  // The type known when the plan is loaded. Unknown (a property nobody declared, a trait): `dynamic`.
  Type type = Type::kNull;
  bool dynamic = false;

  Value literal;
  std::string text;
  double number = 0;
  std::vector<ExpressionPtr> args;
  PropertyPath path;     // of kProperty, and of aggregates over a property (no keys: over the events themselves)
  Selector selector;
  Window window;
};

// The expression as text of the language, with sugar undone: what explain and error messages show. Two expressions
// with the same text mean the same.
std::string ToText(const Expression& expression);
std::string ToText(const Selector& selector);
std::string ToText(const Window& window);

}  // namespace attune
