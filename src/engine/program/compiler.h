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

// Sharing goes by text: two selectors, series or totals with the same text are one.
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

  // compiler.cc: the tables by name and by selector, once everything is compiled.

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

  // `latest`: of a count that is only compared, how many of the latest events decide it; 0 when all do.
  NodeId Compile(const Expression& e, uint32_t latest = 0);
  // Sets the parts of a node that its kind calls for.
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

  // selector_compiler.cc: what is remembered of events.

  uint32_t Field(const PropertyPath& path);
  uint32_t Selector(const attune::Selector& selector);
  NameId IdOf(const std::string& name);
  // The filter of a selector; kNone when it selects every event that it names.
  NodeId FilterOf(const attune::Selector& selector);
  NodeId Named(const std::vector<std::string>& names);
  // Joins the parts that are not kNone; kNone when there are none.
  NodeId Joined(Kind kind, std::vector<NodeId> parts);
  uint32_t Series(uint32_t selector, uint32_t field, uint32_t keep_count, Millis keep_span);
  uint32_t Total(TotalSpec spec);

  // aggregate_compiler.cc

  // The spec of an aggregate or a sequence without the series, total or query that it reads.
  AggregateSpec Windowed(const Expression& e);
  // The window over a segment's changes.
  uint32_t WindowOf(const Expression& e);
  uint32_t AddAggregate(const Expression& e, uint32_t latest);
  // The running figure that answers an aggregate over all events or a fixed range, if one does.
  static std::optional<TotalSpec::Kind> TotalKind(const Expression& e);
  // How many of the latest events, and how old ones, the aggregate can still come to need.
  static std::pair<uint32_t, Millis> Keep(const Expression& e, uint32_t latest);
  static Millis RangeFrom(const Window& w) { return w.kind == WindowKind::kRange ? w.from : kAlways; }
  static Millis RangeTo(const Window& w) { return w.kind == WindowKind::kRange ? w.to : kNever; }
  // The longest a calendar period can be, with the longest change of clocks.
  static Millis PeriodSpan(WindowKind kind);
  static bool UsesSessions(const Program& program);
  static bool UsesSessions(const AggregateSpec& a);

  // sequence_compiler.cc

  uint32_t Sequence(const Expression& e);
  // How far back from the user's latest event a sequence's window can begin.
  Millis SequenceKeep(const Expression& e) const;
  // The live sequence that alone decides a condition or a comparison with a literal.
  std::optional<uint32_t> SequenceOf(const Node& node) const;

  // key_compiler.cc

  uint32_t SharedKeys(const Expression& e);
  uint32_t AddKeys(const Expression& e);
  // The keys of a trigger, which shares them with no other condition: it must be the first to see a key rise.
  NodeId KeyedRoot(const Expression& some);

  // condition_compiler.cc

  // Places each segment behind those that it refers to.
  void OrderSegments();
  void PlaceSegment(uint32_t index);
  void AddTrigger(const Trigger& trigger);
  // From the plan's index of a segment to its condition, in all nodes from `first` on.
  void ReferToConditions(size_t first);

  // listener_compiler.cc: which conditions are judged after which change.

  // What a node reads, with everything below it.
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
  // All that the node within uses, without its selectors: an event without the property changes no key.
  void CollectWithin(uint32_t keys, Uses* uses) const;
  // An event in order completes a match with the last step, and makes a run deeper with any step. An event that a `not`
  // step selects does neither: what has matched stays.
  void CollectSteps(uint32_t query_id, Uses* uses) const;
  bool Reads(NodeId id, uint32_t selector) const;
  void Listen();
  void ListenTo(uint32_t selector, ConditionId c);
  // Adds guards for every part that a condition joins by `and`, `or` and `not`: each says whether an event may change it.
  void AddGuards(ConditionId c, NodeId id, bool alone, bool negated);

  // trend_compiler.cc

  // What one more event in order can do to a condition, at every instant from then on: only turn it to true, only turn it to
  // false, neither (another listener has it judged then), or anything.
  struct Trend {
    bool rises = false;
    bool falls = false;
  };

  // The trend under any event, or under those of one selector.
  Trend TrendOf(NodeId id, std::optional<uint32_t> selector) const;
  // The trend of an aggregate compared with a literal. Null, before there is any event, counts as too small or too large,
  // whichever makes the comparison false: so those that can be null only ever rise.
  Trend TrendOfComparison(Kind op, const Node& left, const Node& right, std::optional<uint32_t> selector) const;

  // past_compiler.cc: the segments whose changes are remembered, and what judging them at a past instant needs.

  void Track();
  void TrackWhatIsNamedIn(const Program& program);
  void AddPast(ConditionId c, std::set<ConditionId>* conditions);
  static Millis Sum(Millis a, Millis b) { return a > kNever - b ? kNever : a + b; }
  // The greatest age of an event or change in the window.
  static Millis SpanOf(const AggregateSpec& a);
  // How far before an instant events can lie that decide an expression at it. Facts are kept in any case.
  Millis ReachOf(NodeId id) const;
  Millis ReachOfSegment(ConditionId segment) const;
  // How far before an instant the changes of tracked segments can lie that decide an expression at it. A segment that looks
  // back at another's changes adds the reach of that segment.
  Millis ChangesReachOf(NodeId id) const;
  Millis ChangesReachOfSegment(ConditionId segment) const;

  Compiler* const outer_ = nullptr;  // of the program around this one
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
  std::set<uint32_t> selectors_within_;            // selectors of the outer program that the expression within names
};

}  // namespace attune
