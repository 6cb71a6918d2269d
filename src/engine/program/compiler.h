// Builds a Program from a plan. Private to this module: others call Program::Compile.
//
// One class, because its parts refer to each other; each of its sources holds one part: nodes, selectors (with series and
// totals), aggregates, sequences, keys, conditions, listeners, trends, and the past of segments.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/program/program.h"

namespace attune {

// Parts are shared by text: two selectors, series or totals with the same text are one.
class Compiler {
 public:
  explicit Compiler(std::shared_ptr<const Plan> plan);

  // Called once. `extra` may be null; see Program::Compile.
  std::shared_ptr<const Program> Run(const Expression* extra);

 private:
  using Kind = Expression::Kind;
  using Method = Aggregate::Method;
  using WindowKind = Window::Kind;

  // Compiles the expression within a some(…) or top(…) over a property.
  Compiler(Compiler* outer, uint32_t key);

  // compiler.cc: the tables by name and by selector, built after everything is compiled.

  void SetSessionRules();
  void Link();
  // The layout of a user's state, or of a key's.
  void LinkState(size_t selectors);
  void LinkWithin(uint32_t keys);
  void FieldsOf(uint32_t selector, std::set<uint32_t>* fields) const;
  void FieldsOfNode(NodeId id, std::set<uint32_t>* fields) const;

  // node_compiler.cc

  static bool NamesSegment(Kind kind);
  static bool IsKeyed(Kind kind) { return kind == Kind::kSome || kind == Kind::kTop; }
  static bool IsComparison(Kind kind) { return kind >= Kind::kEqual && kind <= Kind::kGreaterEqual; }
  static bool IsSequence(Kind kind) {
    return kind == Kind::kSequence || kind == Kind::kSequenceDepth || kind == Kind::kSequenceMatches;
  }

  // `latest`: for a count that is only compared, the number of latest events that decide it; 0 if all do.
  NodeId Compile(const Expression& e, uint32_t latest = 0);
  // Sets the parts of a node that its kind requires.
  void FillNode(const Expression& e, uint32_t latest, Node* node);
  // Appends the node with its children to the program.
  NodeId AddNode(Node node, const std::vector<NodeId>& children);
  bool IsMoving(const Expression& e, const std::vector<NodeId>& children) const;
  // For count(…) compared with a literal N: the latest N + 1 events decide. Otherwise 0.
  static uint32_t DecisiveCount(const Expression& e);
  Shortcut ShortcutOf(Kind op, const Node& left, const Node& right) const;
  uint32_t AddReach(Kind op, const Node& left, double bound);
  NodeId MetricRoot(const std::string& name);
  Value Text(const std::string& text);
  Value CompileLiteral(const Expression& e) { return e.type == Type::kString ? Text(e.text) : e.literal; }
  Value CompileList(const Expression& e);
  uint32_t FactName(const std::string& name);
  uint32_t SegmentIndex(const std::string& name) const;

  // selector_compiler.cc: what is kept of events.

  uint32_t Field(const PropertyPath& path);
  uint32_t Selector(const attune::Selector& selector);
  NameId IdOf(const std::string& name);
  // The filter of a selector; kNone if it matches every event with one of its names.
  NodeId FilterOf(const attune::Selector& selector);
  NodeId Named(const std::vector<std::string>& names);
  // Joins the parts that are not kNone; kNone if there are none.
  NodeId Joined(Kind kind, std::vector<NodeId> parts);
  uint32_t Series(uint32_t selector, uint32_t field, uint32_t keep_count, Millis keep_span);
  uint32_t Total(TotalSpec spec);

  // aggregate_compiler.cc

  // The spec of an aggregate or a sequence, without the series, total or query that it reads.
  AggregateSpec Windowed(const Expression& e);
  // The window over a segment's changes.
  uint32_t WindowOf(const Expression& e);
  uint32_t AddAggregate(const Expression& e, uint32_t latest);
  // The running total that answers an aggregate over all events or a fixed range, if there is one.
  static std::optional<TotalSpec::Kind> TotalKind(const Expression& e);
  // The number of latest events, and their greatest age, that the aggregate can still need.
  static std::pair<uint32_t, Millis> Keep(const Expression& e, uint32_t latest);
  static Millis RangeFrom(const Window& w) { return w.kind == WindowKind::kRange ? w.from : kAlways; }
  static Millis RangeTo(const Window& w) { return w.kind == WindowKind::kRange ? w.to : kNever; }
  // The greatest length of a calendar period, including the largest clock change.
  static Millis PeriodSpan(WindowKind kind);
  static bool UsesSessions(const Program& program);
  static bool UsesSessions(const AggregateSpec& a);

  // sequence_compiler.cc

  uint32_t Sequence(const Expression& e);
  // The greatest distance from the user's latest event to the beginning of a sequence's window.
  Millis SequenceKeep(const Expression& e) const;
  // The live sequence that alone decides a condition or a comparison with a literal.
  std::optional<uint32_t> SequenceOf(const Node& node) const;

  // key_compiler.cc

  uint32_t SharedKeys(const Expression& e);
  uint32_t AddKeys(const Expression& e);
  // The keys of a trigger. No other condition shares them, because the trigger must see each key's change first.
  NodeId KeyedRoot(const Expression& some);

  // condition_compiler.cc

  // Orders segments so that each follows those that it refers to.
  void OrderSegments();
  void PlaceSegment(uint32_t index);
  void AddTrigger(const Trigger& trigger);
  // Replaces the plan's index of a segment by its condition, in all nodes from `first` on.
  void ResolveSegments(size_t first);

  // listener_compiler.cc: which conditions are judged after which change.

  // What a node and its descendants read.
  struct Uses {
    std::set<uint32_t> selectors;
    bool sequences = false;
    std::set<uint32_t> segments;
    std::set<uint32_t> keys;
    bool sessions = false;
    bool past_sessions = false;
    bool every_event = false;
    bool facts[kFactKinds] = {};
  };

  void Collect(NodeId id, Uses* uses) const;
  // All that the node within uses, except its selectors: an event without the property changes no key.
  void CollectWithin(uint32_t keys, Uses* uses) const;
  // An event in order that matches the last step completes a match; one that matches any step deepens a run. An event
  // that matches a `not` step does neither: earlier matches stay.
  void CollectSteps(uint32_t query_id, Uses* uses) const;
  bool Reads(NodeId id, uint32_t selector) const;
  void Listen();
  void ListenTo(uint32_t selector, ConditionId c);
  // Adds guards for every comparison that a condition joins by `and`, `or` and `not`. Each guard tests whether an event
  // may change its comparison.
  void AddGuards(ConditionId c, NodeId id, bool alone, bool negated);

  // trend_compiler.cc

  // The change that one more event in order can make to a condition, at every instant from then on: only to true, only
  // to false, none (another listener then causes the judgement), or any.
  struct Trend {
    bool rises = false;
    bool falls = false;
  };

  // The trend under any event, or under those of one selector.
  Trend TrendOf(NodeId id, std::optional<uint32_t> selector) const;
  // The trend of an aggregate compared with a literal. Null, before the first event, makes the comparison false. So
  // comparisons that can be null only ever rise.
  Trend TrendOfComparison(Kind op, const Node& left, const Node& right, std::optional<uint32_t> selector) const;

  // past_compiler.cc: the segments whose changes are kept, and what judging them at a past instant needs.

  void Track();
  void TrackNamedSegments(const Program& program);
  void AddPast(ConditionId c, std::set<ConditionId>* conditions);
  static Millis Sum(Millis a, Millis b) { return a > kNever - b ? kNever : a + b; }
  // The greatest age of an event or change in the window.
  static Millis SpanOf(const AggregateSpec& a);
  // The greatest distance from an instant to the events that decide an expression at it. Facts are always kept.
  Millis ReachOf(NodeId id) const;
  Millis ReachOfSegment(ConditionId segment) const;
  // The greatest distance from an instant to the changes of tracked segments that decide an expression at it. A segment
  // that reads another's changes adds the reach of that segment.
  Millis ChangesReachOf(NodeId id) const;
  Millis ChangesReachOfSegment(ConditionId segment) const;

  Compiler* const outer_ = nullptr;  // of the enclosing program
  const uint32_t key_ = kNone;       // within a some(…) or top(…): the field of its property
  std::shared_ptr<Program> program_;
  std::map<std::string, NodeId> metric_roots_;
  std::vector<NodeId> segment_roots_;
  std::vector<std::vector<std::string>> selector_names_;
  std::map<std::string, uint32_t> fields_;
  std::map<std::string, uint32_t> selectors_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> series_;
  std::map<std::tuple<TotalSpec::Kind, uint32_t, uint32_t, Millis, Millis>, uint32_t> totals_;
  std::map<std::tuple<uint32_t, SequenceQuery::Kind, std::string>, uint32_t> sequence_queries_;
  std::map<std::string, uint32_t> keys_;
  mutable std::map<ConditionId, Millis> reaches_, changes_reaches_;  // of segments
  std::vector<std::unique_ptr<Compiler>> within_;  // by keys
  std::set<uint32_t> selectors_within_;            // selectors of the outer program that the expression within uses
};

}  // namespace attune
