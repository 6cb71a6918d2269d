// Expressions of the behaviour language as the parser leaves them: resolved and typed, free of sugar. docs/language.md
// defines what each means; this header documents the representation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "event/value.h"
#include "language/aggregate.h"

namespace attune {

// A place in a plan; line and column count from 1, columns in characters.
struct Location {
  int file = 0;  // index into Plan::files
  int line = 0;
  int column = 0;
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

// Which events. A selector selects an event when the event's name is one of `names` (empty: any name), the filter is
// true for the event and, if there are alternatives, one of them selects it.
struct Selector {
  std::vector<std::string> names;  // normalised, sorted, unique; with alternatives: the names of all of them
  ExpressionPtr filter;            // over the event's properties; null when there is none
  // The parts of `(a{v > 1} or b)` when some have filters of their own. Only the first may have no filter.
  std::vector<Selector> alternatives;
};

// Which span of time: the events visible at an instant t.
struct Window {
  enum class Kind {
    kEver,         // all
    kSliding,      // (t - offset - length, t - offset]
    kThisHour,     // since the calendar period began, in the plan's time zone
    kToday,
    kThisWeek,
    kThisMonth,
    kSession,      // the session open at t; no events when none is open
    kLastSession,  // the latest session that has begun
    kRange,        // [from, to)
    kAfter,        // (anchor, anchor + length]; no events when the anchor is null
    kSince,        // (anchor, t]; all events when the anchor is null
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
  // Declared `time` by every event that the selector names: text is parsed as a time.
  bool is_time = false;
};

// One step of a sequence: an event that happens, or (negated) one that does not happen between the matched neighbours.
struct SequenceStep {
  Selector selector;
  bool negated = false;    // never the first or last step, never beside an immediate one
  bool immediate = false;  // joined by `=>`: the user's very next event after the previously matched one
  Millis within = kNever;  // at most this long since the previously matched event; kNever: any time
};

struct Expression {
  enum class Kind {
    kLiteral,    // literal (a string literal views `text`)
    kList,       // args: the items, all literals
    kProperty,   // path, of the current event (inside a selector's braces only)
    kTrait,      // text: the dotted name
    kMetric,     // text: the metric's name; stands for its definition

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

    // Over history. `aggregate` is its row, whose arguments say which of selector, path, window and number are used; for
    // stretches, window.length is the length of one and number is how many there are.
    kAggregate,

    kInSegment,   // text: the segment
    kHour, kWeekday, kDate,
    kBucket,      // text: the name hashed with the user

    kSequence,         // steps, by, window: some run of events matches the steps
    kSequenceDepth,    // the same: how many steps the furthest run reaches; negated steps are not counted
    kSequenceMatches,  // the same: how many runs match, from left to right without overlap

    kSome,             // path, args[0]: true for at least one value of the property
    kTop,              // path, args[0], number: that many values, those with the largest args[0]

    kInSegmentFor,     // text: the segment; window.length: for how long without interruption
    kEntered, kLeft,   // text: the segment; window: when (never a session)
    kConsent,          // text: the purpose
    kScore, kCluster,  // text: the model

    kNamed,            // in compiled filters only: the event's name is one of a set
  };

  Kind kind = Kind::kLiteral;
  Location location;
  // The type, as known when the plan is loaded; `dynamic` when only the data shows it (an undeclared property, a trait).
  Type type = Type::kNull;
  bool dynamic = false;

  Value literal;
  const Aggregate* aggregate = nullptr;  // of kAggregate
  std::string text;
  double number = 0;
  std::vector<ExpressionPtr> args;
  PropertyPath path;     // of kProperty, and of aggregates over a property (no keys: over the events themselves)
  Selector selector;
  Window window;
  std::vector<SequenceStep> steps;
  PropertyPath by;       // of a sequence: its events must have one value of this property; no keys: any values
};

// Calls fn with the expression and with each one below it: operands, and the anchors of windows. Filters are left out, as
// they cannot look at history; metrics and segments stay names.
void ForEach(const Expression& expression, const std::function<void(const Expression&)>& fn);

// A deep copy.
ExpressionPtr Clone(const Expression& expression);
Selector Clone(const Selector& selector);

// The expression as text of the language, with sugar expanded, for explanations and error messages. Two expressions with the
// same text have the same meaning.
std::string ToText(const Expression& expression);
std::string ToText(const Selector& selector);
std::string ToText(const SequenceStep& step);  // without the arrow before it
std::string ToText(const Window& window);

}  // namespace attune
