// A plan made ready to run: expressions as nodes that share what they remember of a user, and lists of who listens to
// what. Immutable; shared by all shards and threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "engine/program/condition_set.h"
#include "engine/program/guard.h"
#include "engine/sequence/sequence.h"
#include "engine/series/fact.h"
#include "engine/series/sessions.h"
#include "event/pattern.h"
#include "language/zone.h"
#include "plan/plan.h"

namespace attune {

using NodeId = uint32_t;
using NameId = uint32_t;       // an event name that the plan speaks of; kOtherName for all the rest

inline constexpr NameId kOtherName = 0;
inline constexpr uint32_t kNone = 0xFFFF'FFFF;

// Which events, once for all expressions that say the same.
struct SelectorSpec {
  NodeId filter = kNone;
};

// What is kept for one selector and property: an event stays while it is among the latest `keep_count`, or younger than
// `keep_span`.
struct SeriesSpec {
  uint32_t selector = 0;
  uint32_t field = kNone;  // of the values; kNone: instants alone
  uint32_t keep_count = 0;
  Millis keep_span = 0;    // kNever: as many as the plan's limit
};

// A running figure over all events, or those of a range [from, to): a word or two for any number of events.
struct TotalSpec {
  enum class Kind : uint8_t {
    kCount,      // number
    kTerms,      // number: how many values a sum has
    kSum,        // the two parts of an ExactSum
    kMin, kMax,  // Stored
    kFirst,      // Stored, the event's time
    kLast,
    kFirstTime,  // the time
    kLastTime,
  };
  Kind kind = Kind::kCount;
  uint32_t selector = 0;
  uint32_t field = kNone;
  Millis from = kAlways;
  Millis to = kNever;
  uint32_t slot = 0;    // where its words stand among those of all totals

  uint32_t Words() const { return kind == Kind::kSum || kind == Kind::kFirst || kind == Kind::kLast ? 2 : 1; }
  bool HoldsValue() const { return kind >= Kind::kMin && kind <= Kind::kLast; }
};

// What an aggregate or a sequence reads: a series through a window, a total, or the answer to a query.
struct AggregateSpec {
  Expression::Kind fn = Expression::Kind::kCount;
  uint32_t series = kNone;
  uint32_t total = kNone;
  uint32_t terms = kNone;    // of an average of a total
  uint32_t sequence = kNone; // a query
  bool outer = false;        // within a some(…) or top(…): a query of the program around it
  Window::Kind window = Window::Kind::kEver;
  Millis length = 0;
  Millis offset = 0;
  Millis from = 0;
  Millis to = 0;
  NodeId anchor = kNone;
  double number = 0;
};

// How a comparison is answered.
enum class Shortcut : uint8_t {
  kNone,      // from the values of both sides
  // Of an aggregate with a literal, the usual form of a condition: from the latest events alone, and with the very
  // instant at which the answer changes.
  kAge,       // since or age
  kCountIs,   // whether a count is just so many
  kReaches,   // count, sum and distinct, which grow with the events that are in: whether they reach a bound
  kBeyond,    // min and max: whether some event is beyond a bound
};

// Of a comparison by Shortcut::kReaches, or by kBeyond, where an event beyond the bound reaches it.
struct Reach {
  Expression::Kind fn = Expression::Kind::kCount;
  Window::Kind window = Window::Kind::kEver;
  bool inclusive = false;     // the bound itself reaches
  bool when_reached = false;  // how the comparison then comes out
  uint32_t series = 0;
  uint32_t aggregate = 0;
  Millis length = 0;
  double bound = 0;
  double least = 0;           // the smallest whole number that reaches
};

struct Node {
  Expression::Kind kind = Expression::Kind::kLiteral;
  Shortcut shortcut = Shortcut::kNone;
  bool moving = false;       // its value changes with every millisecond (since and age, outside a comparison)
  uint32_t first = 0;        // children: Program::children[first .. first + count)
  uint32_t count = 0;
  uint32_t aggregate = kNone;
  // The field of a property, the condition of in_segment and the like, the name of a fact, a reach, the keys of some and top,
  // a set of names.
  uint32_t index = kNone;
  Value literal;             // text and lists live in the Program
  std::shared_ptr<const Pattern> pattern;
};

struct Program;

// A some(…) or top(…). What stands within is a program of its own, of which each value of the property, a *key*, has the
// state; selectors, fields and conditions have the numbers of the program around it.
struct KeySpec {
  Expression::Kind kind = Expression::Kind::kSome;
  uint32_t field = 0;           // of the property
  uint32_t listed = 0;          // by top, at most
  NodeId root = kNone;
  std::shared_ptr<const Program> within;
  std::vector<bool> selectors;  // those whose events can change how a key comes out
  bool reads_clock = false;     // see Program::ReadsClock
  // What changes how all of them come out: where sessions begin, every event, facts.
  bool sessions = false;
  bool every_event = false;
  bool facts[kFactKinds] = {};
};

struct Condition {
  NodeId root = kNone;       // kNone: always true (a trigger `on` without `where`)
  uint32_t on_selector = kNone;  // of a trigger `on`
  uint32_t keys = kNone;     // of a trigger that fires for each key: they are its own, and `with` is of the program within
  const Segment* segment = nullptr;
  const Trigger* trigger = nullptr;
  std::string name;
  NodeId only_if = kNone;        // of a trigger; kNone: always
  Cap group_cap;                 // of a trigger's group; no span: none
  Millis firings_count = 0;      // how long a firing counts for a cooldown or a cap, the group's included
  std::vector<std::pair<std::string, NodeId>> with;
};

// A segment whose changes are remembered, because `in_segment(…) for`, `entered` or `left` names it.
struct TrackedSegment {
  ConditionId segment = 0;
  Millis keep_span = 0;  // how old a change can come to be asked for; kNever: as many as the plan's limit
};

struct Program {
  // The plan must be one without problems.
  // With `extra`, an expression parsed against the plan, the program also runs that: at extra_root.
  static std::shared_ptr<const Program> Compile(std::shared_ptr<const Plan> plan, const Expression* extra = nullptr);

  NameId NameOf(std::string_view event) const {
    const auto found = names.find(event);
    return found == names.end() ? kOtherName : found->second;
  }
  // How many of a series' events count, the latest ones: the plan's limit.
  uint32_t SeriesLimit(uint32_t index) const { return series_limit > series[index].keep_count ? series_limit : series[index].keep_count; }
  // What asks when a segment changed.
  static bool NamesPast(Expression::Kind kind) {
    using Kind = Expression::Kind;
    return kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
  }
  // Whether a node tells users apart of whom nothing is known.
  bool TellsUsersApart(NodeId root) const;
  // Whether a node reads the plan's clock: hour(), weekday(), date(), or a window such as [today]. Such a node can be due
  // any number of times without an event. How often others are due is bounded by the user's events.
  bool ReadsClock(NodeId root) const;

  std::shared_ptr<const Plan> plan;
  Zone zone;
  SessionRules sessions;

  TextMap<NameId> names;
  std::vector<PropertyPath> fields;                       // what expressions read of events
  std::vector<std::vector<uint32_t>> fields_of_name;      // which of them for each name
  std::vector<std::vector<uint32_t>> selectors_of_name;

  std::vector<SelectorSpec> selectors;
  std::vector<std::vector<NameId>> name_sets;             // of filters that ask for an event's name
  std::vector<SeriesSpec> series;
  std::vector<std::vector<uint32_t>> series_of_selector;
  uint32_t series_limit = 0;
  uint32_t long_series = 64;  // longer ones may go beyond the limit, and what their values come to is kept
  std::vector<TotalSpec> totals;
  std::vector<bool> total_slot_holds_value;
  // Where in a user's block the bits begin that say which series, slots of totals, conditions and again conditions she
  // has, and where her id does. In words.
  struct {
    uint32_t first[5] = {0, 0, 0, 0, 0};
    uint32_t id = 0;
  } state;
  std::vector<std::vector<uint32_t>> totals_of_selector;
  std::vector<AggregateSpec> aggregates;
  std::vector<Reach> reaches;
  SequenceProgram sequences;
  std::vector<KeySpec> keys;
  std::vector<Node> nodes;
  std::vector<NodeId> children;
  std::vector<std::string> fact_names;                    // traits, purposes and models that expressions read

  std::vector<Condition> conditions;                      // [0, segment_count) are segments
  size_t segment_count = 0;
  std::vector<ConditionId> condition_of_segment;          // by the plan's order
  std::optional<ConditionId> FindSegment(std::string_view name) const {
    const Segment* segment = plan->FindSegment(name);
    if (!segment) return std::nullopt;
    return condition_of_segment[static_cast<size_t>(segment - plan->segments.data())];
  }
  std::vector<NodeId> metric_roots;                       // by the plan's order
  // Requires that the plan has the metric.
  NodeId MetricRoot(std::string_view name) const { return metric_roots[static_cast<size_t>(plan->FindMetric(name) - plan->metrics.data())]; }
  NodeId extra_root = kNone;
  std::vector<uint32_t> condition_of_on_trigger;          // conditions whose trigger is `on`

  std::vector<Listeners> listeners_of_selector;
  std::vector<std::vector<ConditionId>> listeners_of_sequence;  // of its runs, when it is live
  std::vector<ConditionSet> listeners_of_keys;
  std::vector<ConditionSet> dependents_of_segment;        // by condition
  std::vector<std::vector<uint32_t>> keys_of_segment;     // by condition: those that ask whether it holds
  // As Listeners has them, for any event.
  ConditionSet rising;
  ConditionSet falling;

  std::vector<TrackedSegment> tracked;
  std::vector<uint32_t> tracked_of_segment;  // by condition; kNone: not tracked
  // What a late event needs to tell tracked segments anew.
  struct Past {
    std::vector<ConditionId> conditions;     // the tracked ones and those they refer to, each after what it refers to
    std::vector<bool> selectors;             // what they see of events
    bool all_events = false;                 // they see sessions, sequences or keys
    std::set<uint32_t> keys;                 // some(…) and top(…) in them
    bool sequences = false;
    bool facts[kFactKinds] = {};
    Millis span = 0;                         // how far back events matter
    Millis changes_span = 0;                 // how far back their changes matter
  } past;

  ConditionSet clock_readers;       // conditions that read the plan's clock
  ConditionSet session_listeners;   // of where sessions begin
  ConditionSet past_session_listeners;  // of these, those that see more than the events of the open session
  ConditionSet event_listeners;     // of every event: how long a session lasts
  std::vector<ConditionSet> fact_listeners;  // by FactKind

  std::vector<std::unique_ptr<std::string>> texts;        // literals
  std::vector<std::unique_ptr<std::vector<Value>>> lists;

 private:
  explicit Program(Zone z) : zone(z) {}
  friend class Compiler;
};

}  // namespace attune
