// A plan: the operator's events, metrics, segments and triggers, checked as a whole.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "language/event_spec.h"
#include "language/expression.h"

namespace attune {

struct Metric {
  std::string name;
  ExpressionPtr value;
  Location location;
};

struct Segment {
  std::string name;
  std::string description;
  ExpressionPtr when;
  Location location;
};

struct Cap {  // at_most: COUNT per SPAN
  int count = 0;
  Millis span = 0;
};

// A part of each day in the plan's time zone, in minutes after midnight: [from, to), across midnight when `from` is
// later than `to`. Never empty.
struct QuietHours {
  int from = 0;  // 0 to 1439
  int to = 0;    // 0 to 1440

  bool Contains(int minute) const { return from < to ? from <= minute && minute < to : from <= minute || minute < to; }
};

// Triggers that share a cap.
struct TriggerGroup {
  std::string name;
  Cap at_most;
  Location location;
};

// A trigger fires when its transition or event occurs and nothing holds it back: holdout, quiet hours, `only_if`,
// cooldown, its own cap, its group's cap. A suppressed firing counts towards none of them.
struct Trigger {
  enum class Kind { kEnter, kLeave, kOn };
  std::string name;
  std::string description;
  Kind kind = Kind::kEnter;
  ExpressionPtr when;       // enter, leave; for `on` the optional `where`
  Selector on;
  std::vector<std::pair<std::string, ExpressionPtr>> with;  // sorted by name
  ExpressionPtr only_if;    // null: always
  Millis cooldown = 0;      // per value of the key, if the trigger has one
  std::optional<Cap> at_most;
  std::optional<QuietHours> quiet_hours;
  double holdout = 0;       // the trigger never fires for users whose bucket of its name is below this
  std::string group;        // empty: none
  std::vector<std::string> send;
  Location location;
};

struct Plan {
  std::vector<std::string> files;
  std::string timezone = "UTC";
  Millis session_gap = 30 * kMinute;
  Millis session_max = kNever;      // kNever: no limit
  int64_t limit_events = 10'000;    // per user and condition
  int64_t limit_catch_up = 10'000;  // the most transitions of one user that the passing of time makes for one record
  Millis oldest_event = 3'650 * kDay;  // the earliest event time, as a distance before the received time
  Millis dedupe = 7 * kDay;
  bool refuse_unknown_events = false;
  EventSpecs events;
  std::vector<Metric> metrics;      // sorted by name
  std::vector<Segment> segments;    // sorted by name
  std::vector<Trigger> triggers;    // sorted by name
  std::vector<TriggerGroup> trigger_groups;  // sorted by name
  // Changes whenever a change of the plan's files could change an answer. Comments, layout and quotes do not change it.
  uint64_t fingerprint = 0;
  // The same over the files' bytes: the fingerprint of older programs.
  uint64_t text_fingerprint = 0;

  const Metric* FindMetric(std::string_view name) const;
  const Segment* FindSegment(std::string_view name) const;
  const TriggerGroup* FindTriggerGroup(std::string_view name) const;

  // The some(…) that `enter` or `leave` consists of, directly or through a metric's name: the trigger then fires for
  // each value of the key. Null when the trigger has no key: a some(…) within a larger expression is an ordinary
  // condition.
  const Expression* KeyedBy(const Trigger& trigger) const;
};

// A mistake or a warning at one place of a plan.
struct Problem {
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;
  bool warning = false;
};

std::string ToText(const Problem& problem);  // file:line:column: message

// Whether a stored fingerprint is this plan's: of its content or, if an older program wrote it, of its bytes.
inline bool IsOf(uint64_t fingerprint, const Plan& plan) { return fingerprint == plan.fingerprint || fingerprint == plan.text_fingerprint; }

struct LoadedPlan {
  std::unique_ptr<Plan> plan;     // null when any problem is more than a warning
  std::vector<Problem> problems;  // in the order of the files
};

// Reads a YAML file, or every *.yaml and *.yml of a folder in the order of their names.
LoadedPlan LoadPlan(const std::string& path);
// From text; problems name `file` as the file.
LoadedPlan ParsePlan(std::string_view yaml, const std::string& file = "plan.yaml");

// Parses one expression against a plan's names, as for explain and preview. Problems have `expression` as their file,
// and the line and column in the text.
struct ParsedExpression {
  ExpressionPtr expression;
  std::vector<Problem> problems;
};
ParsedExpression ParseExpression(std::string_view text, const Plan& plan);
// As ParseExpression, for a segment's `when`: anything but a condition is a problem too.
ParsedExpression ParseCondition(std::string_view text, const Plan& plan);

// The same for a selector without a window; problems have `selector` as their file.
struct ParsedSelector {
  std::optional<Selector> selector;
  std::vector<Problem> problems;
};
ParsedSelector ParseSelector(std::string_view text, const Plan& plan);

}  // namespace attune
