// The value of an expression for one user at one instant, and how long the value lasts without an event.
#pragma once

#include <absl/functional/function_ref.h>

#include <deque>
#include <memory>
#include <vector>

#include "engine/program/program.h"
#include "engine/state/user.h"
#include "event/event.h"

namespace attune {

struct Key;
class KeyStates;

// A value at t, and the first instant after t at which it may differ without an event. Before that instant it is the
// same. For a node that is `moving` this holds for its parts that do not move.
struct Timed {
  Value value;
  Millis until = kNever;
};

// The same for a condition.
struct Outcome {
  bool holds = false;
  Millis until = kNever;
};

// Evaluates nodes against one user's state, which must contain nothing later than the instants evaluated. Values live until
// the next call of Forget, and no longer than the state that they were read from.
class Evaluator {
 public:
  Evaluator(const Program& program, const Interner& interner);

  Timed Evaluate(NodeId node, const UserState& user, Millis t);
  Outcome Judge(NodeId node, const UserState& user, Millis t);
  // The window of an aggregate at t: events in (low, high]. Returns false if the window holds no event.
  bool WindowOf(const AggregateSpec& spec, const UserState& user, Millis t, Millis* low, Millis* high);
  // Whether a selector's filter holds for the event with this name and these fields.
  bool Matches(NodeId filter, NameId name, std::span<const Value> fields);

  // Judges the keys of a some(…) that are stale or due and appends those whose outcome changed; the pointers live until the
  // user's next event. Returns the first instant at which another key may change.
  Millis JudgeKeys(uint32_t keys, const UserState& user, Millis t, std::vector<const Key*>* changed);
  // Evaluate and WindowOf for one key, with a node or an aggregate of the program within.
  Timed EvaluateWithin(uint32_t keys, NodeId node, const UserState& user, const Key& key, Millis t);
  bool WindowWithin(uint32_t keys, const AggregateSpec& spec, const UserState& user, const Key& key, Millis t, Millis* low, Millis* high);

  // A patient evaluator spends more on each judgement so that fewer follow: it finds the instant at which a comparison with
  // hour(), weekday() or date() changes. Any other judges such a comparison again when the next hour or day begins.
  void set_patient(bool patient) {
    patient_ = patient;
    for (const auto& within : within_) within->set_patient(patient);
  }
  // The number of judgements of keys, and how many of them were of expressions that read the plan's clock.
  uint64_t judged_keys() const { return judged_keys_; }
  uint64_t judged_clock_keys() const { return judged_clock_keys_; }

  void Forget() {
    if (!lists_.empty()) lists_.clear();
    if (!readers_.empty()) readers_.clear();
    for (const auto& within : within_) within->Forget();
  }
  // Whether some value since the last ResetIncomplete was computed without events that the plan's limit dropped.
  bool incomplete() const;
  void ResetIncomplete();

 private:
  friend class Crossing;
  friend class MovingTerm;

  // The window holds events in (low, high].
  struct Bounds {
    Millis low = kAlways;
    Millis high = kNever;
    Millis until = kNever;        // when the window itself may change (its anchor, the end of its period or session)
    bool none = false;
    bool sliding = false;         // it moves with t: events leave `length + offset` after their instant
  };

  Timed Node(NodeId id);
  const attune::Node& At(NodeId id) const { return program_.nodes[id]; }
  NodeId Child(const attune::Node& node, uint32_t i) const { return program_.children[node.first + i]; }

  Outcome Holds(NodeId id);
  Outcome And(const attune::Node& node, bool is_or);
  Outcome CompareAge(const attune::Node& node);
  Outcome CompareCount(const attune::Node& node);
  Outcome CompareGrowing(const attune::Node& node);
  Outcome CompareExtreme(const attune::Node& node);
  // Returns the latest index such that the events from it on reach a bound; the series' size if all events later than
  // `low` do not.
  static size_t CountReaches(const Series& series, Millis low, double least);
  static size_t SumReaches(const Series& series, Millis low, double bound, bool inclusive);
  size_t DistinctReaches(const Series& series, Millis low, double least) const;
  Outcome Predicate(const attune::Node& node);
  Timed Arithmetic(const attune::Node& node);
  Timed Function(const attune::Node& node);
  // Null if the fact is not known.
  Value ReadFact(FactKind kind, const std::string& name);
  Value FactValue(std::string_view json);
  Timed Calendar(Expression::Kind kind);
  // The first instant after t at which a predicate may differ from its outcome `now`. `values` are its operands at t, and
  // `until` the earliest instant at which one of them changes.
  Millis ClockStays(const attune::Node& node, const Value* values, bool now, Millis until);
  Outcome MemberFor(const attune::Node& node);
  Outcome Changed(const attune::Node& node);
  std::span<const Millis> ChangesOf(ConditionId segment);

  // Requires a node that is an aggregate or a sequence.
  Timed OfAggregate(const attune::Node& node);
  Timed FromTotal(const AggregateSpec& spec);
  Timed FromSeries(const AggregateSpec& spec);
  Timed FromSessions(const AggregateSpec& spec);
  // Requires a some or a top. Judging stores the outcome in each key and evaluates only keys that are stale or due; evaluating
  // at any other instant leaves the keys unchanged.
  Timed FromKeys(const attune::Node& node);
  Outcome Some(uint32_t keys, KeyStates* states);
  Timed Top(uint32_t keys, KeyStates* states);
  Millis RankingStays(uint32_t keys, const KeyStates& states, std::span<const Key* const> listed, Millis until);
  void RefreshKeys(uint32_t keys, KeyStates* states, std::vector<const Key*>* changed);
  // The evaluator of the program within, set to a key of the current user.
  Evaluator& Within(uint32_t keys, const Key& key);
  Timed FromSequence(const AggregateSpec& spec);
  Millis SequenceStays(const AggregateSpec& spec, const Bounds& bounds, const SequenceReading& reading);
  Timed Stretches(const AggregateSpec& spec, const Series& series);
  // These require a window that is not empty; `until` is the instant at which its events change.
  Value Sum(const AggregateSpec& spec, const Series& series, size_t from, size_t to);
  Timed Extreme(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t from, size_t to, Millis until);
  Timed Distinct(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t from, size_t to, Millis until);
  Value ListOf(const Series& series, size_t from, size_t to, size_t limit);
  Bounds BoundsOf(const AggregateSpec& spec);
  // Sets the index range of a window's events; returns the instant at which the range may change.
  Millis Range(const AggregateSpec& spec, const Bounds& bounds, const Series& series, size_t* from, size_t* to);
  // Returns until when a moving anchor keeps the window's events: until an end of the window passes one. The window
  // holds the instants [from, to) of `size` ordered ones, each given by `time`.
  Millis AnchorStays(const AggregateSpec& spec, const Bounds& bounds, size_t size, size_t from, size_t to,
                     absl::FunctionRef<Millis(size_t)> time);
  Zone::Period PeriodAt(Window::Kind kind);

  // Applies a comparison or other predicate to the values of its operands.
  bool Apply(const attune::Node& node, const Value* operands) const;

  const Program& program_;
  const Interner& interner_;
  const UserState* user_ = nullptr;
  const UserState* outer_ = nullptr;      // the state with sessions, facts and segments: within keys, the user's
  const Program* outer_program_;
  StepRestriction restriction_;           // within keys, for the user's sequences
  bool judging_ = false;
  bool patient_ = false;
  uint64_t judged_keys_ = 0;
  uint64_t judged_clock_keys_ = 0;
  std::vector<std::unique_ptr<Evaluator>> within_;  // by keys
  Millis t_ = 0;
  std::span<const Value> fields_;
  NameId name_ = kOtherName;
  std::deque<std::vector<Value>> lists_;  // storage of list values
  std::deque<EventReader> readers_;       // storage of trait values
  bool incomplete_ = false;
  // The calendar periods used last; most instants are in the same period.
  Zone::Period periods_[4] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}};
};

// bucket("name") of a user, in [0, 1).
double BucketOf(std::string_view name, std::string_view user);

}  // namespace attune
