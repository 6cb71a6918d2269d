// A compiled plan: expressions as nodes, which share the state that they read, and for each kind of change the
// conditions that it may affect. Immutable; shared by all shards and threads.
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
using NameId = uint32_t;       // an event name that the plan uses; kOtherName for all others

inline constexpr NameId kOtherName = 0;
inline constexpr uint32_t kNone = 0xFFFF'FFFF;

// Which events match. All expressions with the same selector share it.
struct SelectorSpec {
  NodeId filter = kNone;
};

// What is kept for one selector and property. An event is kept while it is one of the latest `keep_count`, or younger
// than `keep_span`.
struct SeriesSpec {
  uint32_t selector = 0;
  uint32_t field = kNone;  // of the values; kNone: only instants are kept
  uint32_t keep_count = 0;
  Millis keep_span = 0;    // kNever: up to the plan's limit
};

// A running total over all events, or those of a range [from, to). It takes one or two words for any number of events.
struct TotalSpec {
  // Its words hold a number, a time or a Stored value; for kSum the two parts of an ExactSum; for kFirst and kLast a
  // Stored value and the event's time.
  using Kind = RunningTotal;
  Kind kind = Kind::kCount;
  uint32_t selector = 0;
  uint32_t field = kNone;
  Millis from = kAlways;
  Millis to = kNever;
  uint32_t slot = 0;    // index of its first word among those of all totals

  uint32_t Words() const { return kind == Kind::kSum || kind == Kind::kFirst || kind == Kind::kLast ? 2 : 1; }
  bool HoldsValue() const {
    return kind == Kind::kMin || kind == Kind::kMax || kind == Kind::kFirst || kind == Kind::kLast;
  }
};

// What an aggregate or a sequence reads: a window of a series, a total, or the answer to a query.
struct AggregateSpec {
  Expression::Kind fn = Expression::Kind::kAggregate;
  const Aggregate* aggregate = nullptr;                    // of kAggregate
  Aggregate::Method method = Aggregate::Method::kSummary;  // that of the aggregate
  uint32_t series = kNone;
  uint32_t total = kNone;
  uint32_t terms = kNone;    // for an average: the total that counts its terms
  uint32_t sequence = kNone; // a query
  bool outer = false;        // within a some(…) or top(…): the query is of the enclosing program
  Window::Kind window = Window::Kind::kEver;
  Millis length = 0;
  Millis offset = 0;
  Millis from = 0;
  Millis to = 0;
  NodeId anchor = kNone;
  double number = 0;
};

// How a comparison is evaluated.
enum class Shortcut : uint8_t {
  kNone,      // from the values of both sides
  // The rest are comparisons of an aggregate with a literal, the usual form of a condition. They are answered from the
  // latest events, with the exact instant at which the answer changes.
  kAge,       // since or age
  kCountIs,   // whether a count equals the literal
  kReaches,   // count, sum and distinct, which grow with the events in the window: whether they reach a bound
  kBeyond,    // min and max: whether the value of some event is beyond a bound
};

// A comparison by Shortcut::kReaches, or by kBeyond. With kBeyond, an event beyond the bound reaches it.
struct Reach {
  Aggregate::Method method = Aggregate::Method::kCount;
  Window::Kind window = Window::Kind::kEver;
  bool inclusive = false;     // the bound itself reaches
  bool when_reached = false;  // the outcome once the bound is reached
  uint32_t series = 0;
  uint32_t aggregate = 0;
  Millis length = 0;
  double bound = 0;
  double least = 0;           // the smallest integer that reaches
};

struct Node {
  Expression::Kind kind = Expression::Kind::kLiteral;
  Shortcut shortcut = Shortcut::kNone;
  bool moving = false;       // changes each millisecond (since and age, outside a comparison)
  uint32_t first = 0;        // children: Program::children[first .. first + count)
  uint32_t count = 0;
  uint32_t aggregate = kNone;
  // The field of a property, the condition of in_segment and similar, the name of a fact, a reach, the keys of some and
  // top, or a set of names.
  uint32_t index = kNone;
  Value literal;             // the Program owns text and lists
  std::shared_ptr<const Pattern> pattern;
};

struct Program;

// A some(…) or top(…). The expression within it is compiled as a separate program, and each value of the property, a
// *key*, has a state of that program. Selectors, fields and conditions keep the numbers of the outer program.
struct KeySpec {
  Expression::Kind kind = Expression::Kind::kSome;
  uint32_t field = 0;           // of the property
  uint32_t listed = 0;          // by top, at most
  NodeId root = kNone;
  std::shared_ptr<const Program> within;
  std::vector<bool> selectors;  // those whose events can change the outcome for a key
  bool reads_clock = false;     // see Program::ReadsClock
  // What can change the outcome for all keys: the start of a session, every event, facts.
  bool sessions = false;
  bool every_event = false;
  bool facts[kFactKinds] = {};
};

struct Condition {
  NodeId root = kNone;       // kNone: always true (a trigger `on` without `where`)
  uint32_t on_selector = kNone;  // of a trigger `on`
  uint32_t keys = kNone;     // of a trigger that fires for each key; `with` is then of the program within
  const Segment* segment = nullptr;
  const Trigger* trigger = nullptr;
  std::string name;
  NodeId only_if = kNone;        // of a trigger; kNone: always
  Cap group_cap;                 // of a trigger's group; no span: none
  Millis firings_count = 0;      // how long a firing counts towards a cooldown or cap, including the group's cap
  std::vector<std::pair<std::string, NodeId>> with;
};

// A segment whose changes are kept, because `in_segment(…) for`, `entered` or `left` names it.
struct TrackedSegment {
  ConditionId segment = 0;
  Millis keep_span = 0;  // the greatest age of a change that is needed; kNever: up to the plan's limit
};

struct Program {
  // Requires a plan without problems. `extra`, an expression parsed against the plan, is compiled too; its root is
  // extra_root.
  static std::shared_ptr<const Program> Compile(std::shared_ptr<const Plan> plan, const Expression* extra = nullptr);

  NameId NameOf(std::string_view event) const {
    const auto found = names.find(event);
    return found == names.end() ? kOtherName : found->second;
  }
  // The number of latest events of a series that count: the plan's limit, unless an aggregate needs more.
  uint32_t SeriesLimit(uint32_t index) const { return series_limit > series[index].keep_count ? series_limit : series[index].keep_count; }
  // Whether a node of this kind depends on when a segment changed.
  static bool NamesPast(Expression::Kind kind) {
    using Kind = Expression::Kind;
    return kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
  }
  // Whether a node can differ between users without events and facts.
  bool DependsOnUser(NodeId root) const;
  // Whether a node reads the plan's clock: hour(), weekday(), date(), or a window such as [today]. Such a node can be
  // due any number of times without an event. The user's events bound how often any other node is due.
  bool ReadsClock(NodeId root) const;

  std::shared_ptr<const Plan> plan;
  Zone zone;
  SessionRules sessions;

  TextMap<NameId> names;
  std::vector<PropertyPath> fields;                       // that expressions read of events
  std::vector<std::vector<uint32_t>> fields_of_name;      // the fields that are read, for each name
  std::vector<std::vector<uint32_t>> selectors_of_name;

  std::vector<SelectorSpec> selectors;
  std::vector<std::vector<NameId>> name_sets;             // of filters that test an event's name
  std::vector<SeriesSpec> series;
  std::vector<std::vector<uint32_t>> series_of_selector;
  uint32_t series_limit = 0;
  uint32_t long_series = 64;  // longer series may exceed the limit for a while, and keep summaries of their values
  std::vector<TotalSpec> totals;
  std::vector<bool> total_slot_holds_value;
  // Offsets in a user's block, in words: the bits of the series, slots of totals, members and dues that the user has,
  // and the user's id.
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
  std::vector<uint32_t> condition_of_on_trigger;          // of triggers with `on`

  std::vector<Listeners> listeners_of_selector;
  std::vector<std::vector<ConditionId>> listeners_of_sequence;  // that the runs of a live sequence affect
  std::vector<ConditionSet> listeners_of_keys;
  std::vector<ConditionSet> dependents_of_segment;        // by condition
  std::vector<std::vector<uint32_t>> keys_of_segment;     // by condition: the keys that depend on it
  // The same as in Listeners, for events of any selector.
  ConditionSet rising;
  ConditionSet falling;

  std::vector<TrackedSegment> tracked;
  std::vector<uint32_t> tracked_of_segment;  // by condition; kNone: not tracked
  // What recomputing the changes of tracked segments after a late event needs.
  struct Past {
    std::vector<ConditionId> conditions;     // tracked ones and those they refer to, which come first
    std::vector<bool> selectors;             // that they read
    bool all_events = false;                 // they read sessions, sequences or keys
    std::set<uint32_t> keys;                 // some(…) and top(…) in them
    bool sequences = false;
    bool facts[kFactKinds] = {};
    Millis span = 0;                         // how far back events matter
    Millis changes_span = 0;                 // how far back changes of segments matter
  } past;

  ConditionSet clock_readers;       // conditions that read the plan's clock
  ConditionSet session_listeners;   // affected by where sessions begin
  ConditionSet past_session_listeners;  // of these, those that read more than the events of the open session
  ConditionSet event_listeners;     // affected by every event: the length of a session
  std::vector<ConditionSet> fact_listeners;  // by FactKind

  std::vector<std::unique_ptr<std::string>> texts;        // literals
  std::vector<std::unique_ptr<std::vector<Value>>> lists;

 private:
  explicit Program(Zone z) : zone(z) {}
  friend class Compiler;
};

}  // namespace attune
