#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "engine/program/program.h"

namespace attune {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

// Builds a Program. Sharing goes by text: two selectors, series or totals that read the same are one.
class Compiler {
 public:
  explicit Compiler(std::shared_ptr<const Plan> plan) {
    auto zone = Zone::Find(plan->timezone);
    ATTUNE_CHECK(zone.ok(), "the plan was checked when it was loaded");
    program_ = std::shared_ptr<Program>(new Program(*zone));
    program_->plan = std::move(plan);
  }

  std::shared_ptr<const Program> Run(const Expression* extra) {
    const Plan& plan = *program_->plan;
    program_->names.emplace("", kOtherName);
    for (const Metric& metric : plan.metrics) program_->metric_roots.push_back(MetricRoot(metric.name));
    for (const Segment& segment : plan.segments) segment_roots_.push_back(Compile(*segment.when));
    if (extra) program_->extra_root = Compile(*extra);
    OrderSegments();
    for (const Trigger& trigger : plan.triggers) AddTrigger(trigger);
    SetSessionRules();
    Link();
    Listen();
    Track();
    return std::move(program_);
  }

 private:
  // Of what stands within a some(…) or top(…) over a property.
  Compiler(Compiler* outer, uint32_t key) : outer_(outer), key_(key) {
    program_ = std::shared_ptr<Program>(new Program(outer->program_->zone));
    program_->plan = outer->program_->plan;
  }

  // --- nodes ---

  // `latest`: of a count that is only compared, how many of the latest events decide it; 0 when all do.
  NodeId Compile(const Expression& e, uint32_t latest = 0) {
    if (e.kind == Kind::kMetric) return MetricRoot(e.text);
    Node node;
    node.kind = e.kind;
    std::vector<NodeId> children;
    if (e.kind == Kind::kList) {
      node.literal = CompileList(e);
    } else if (!IsKeyed(e.kind)) {
      const uint32_t decisive = DecisiveCount(e);
      for (const ExpressionPtr& arg : e.args) children.push_back(Compile(*arg, &arg == &e.args.front() ? decisive : 0));
    }
    switch (e.kind) {
      case Kind::kLiteral: node.literal = CompileLiteral(e); break;
      case Kind::kProperty: node.index = Field(e.path); break;
      case Kind::kTrait:
      case Kind::kConsent:
      case Kind::kScore:
      case Kind::kCluster: node.index = FactName(e.text); break;
      case Kind::kMatches: node.pattern = Pattern::Compile(e.text).value(); break;
      case Kind::kInSegment: node.index = SegmentIndex(e.text); break;
      case Kind::kInSegmentFor:
      case Kind::kEntered:
      case Kind::kLeft:
        node.index = SegmentIndex(e.text);
        node.aggregate = WindowOf(e);
        break;
      case Kind::kBucket: node.literal = Text(e.text); break;
      case Kind::kSome:
      case Kind::kTop: node.index = SharedKeys(e); break;
      default:
        if (IsAggregate(e.kind)) node.aggregate = Aggregate(e, latest);
        if (IsSequence(e.kind)) node.aggregate = Sequence(e);
    }
    node.moving = IsMoving(e.kind, children);
    if (e.kind >= Kind::kEqual && e.kind <= Kind::kGreaterEqual) {
      const Node& left = program_->nodes[children[0]];
      const Node& right = program_->nodes[children[1]];
      node.shortcut = ShortcutOf(e.kind, left, right);
      if (node.shortcut == Shortcut::kReaches || node.shortcut == Shortcut::kBeyond) node.index = AddReach(e.kind, left, right.literal.number());
    }
    node.first = static_cast<uint32_t>(program_->children.size());
    node.count = static_cast<uint32_t>(children.size());
    program_->children.insert(program_->children.end(), children.begin(), children.end());
    program_->nodes.push_back(std::move(node));
    return static_cast<NodeId>(program_->nodes.size() - 1);
  }

  static bool NamesSegment(Kind kind) {
    return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
  }

  static bool IsAggregate(Kind kind) { return kind >= Kind::kCount && kind <= Kind::kPeriods; }
  static bool IsKeyed(Kind kind) { return kind == Kind::kSome || kind == Kind::kTop; }
  static bool IsSequence(Kind kind) { return kind >= Kind::kSequence && kind <= Kind::kSequenceMatches; }

  bool IsMoving(Kind kind, const std::vector<NodeId>& children) const {
    if (kind == Kind::kSince || kind == Kind::kAge) return true;
    const bool carries = (kind >= Kind::kAdd && kind <= Kind::kScale);
    return carries && std::any_of(children.begin(), children.end(), [&](NodeId c) { return program_->nodes[c].moving; });
  }

  // count(…) compared with a literal N: the latest N + 1 events decide.
  static uint32_t DecisiveCount(const Expression& e) {
    if (e.kind < Kind::kEqual || e.kind > Kind::kGreaterEqual || e.args[0]->kind != Kind::kCount) return 0;
    const Expression& bound = *e.args[1];
    if (bound.kind != Kind::kLiteral || bound.type != Type::kNumber) return 0;
    const double n = bound.literal.number();
    if (n >= 1000) return 0;
    return static_cast<uint32_t>(std::max(0.0, std::floor(n))) + 1;
  }

  Shortcut ShortcutOf(Kind op, const Node& left, const Node& right) const {
    if (right.kind != Kind::kLiteral || left.aggregate == kNone) return Shortcut::kNone;
    const AggregateSpec& spec = program_->aggregates[left.aggregate];
    if (left.moving && right.literal.type() == Type::kDuration) return Shortcut::kAge;
    if (spec.series == kNone || right.literal.type() != Type::kNumber) return Shortcut::kNone;
    // The latest events are not those that count where the window ends before t.
    if (spec.anchor != kNone || spec.offset != 0 || spec.window == WindowKind::kRange) return Shortcut::kNone;
    if (op == Kind::kEqual || op == Kind::kNotEqual) return left.kind == Kind::kCount ? Shortcut::kCountIs : Shortcut::kNone;
    if (left.kind == Kind::kAggregateMin || left.kind == Kind::kAggregateMax) return Shortcut::kBeyond;
    const bool grows = left.kind == Kind::kCount || left.kind == Kind::kDistinct || left.kind == Kind::kSum;
    return grows ? Shortcut::kReaches : Shortcut::kNone;
  }

  uint32_t AddReach(Kind op, const Node& left, double bound) {
    const AggregateSpec& spec = program_->aggregates[left.aggregate];
    Reach reach;
    reach.fn = left.kind;
    reach.window = spec.window;
    const bool least = left.kind == Kind::kAggregateMin;  // it is beyond its bound below it
    reach.inclusive = least ? op == Kind::kLessEqual || op == Kind::kGreater : op == Kind::kGreaterEqual || op == Kind::kLess;
    reach.when_reached = (op == Kind::kGreaterEqual || op == Kind::kGreater) != least;
    reach.series = spec.series;
    reach.aggregate = left.aggregate;
    reach.length = spec.length;
    reach.bound = bound;
    reach.least = reach.inclusive ? std::ceil(bound) : std::floor(bound) + 1;
    program_->reaches.push_back(reach);
    return static_cast<uint32_t>(program_->reaches.size() - 1);
  }

  NodeId MetricRoot(const std::string& name) {
    const auto found = metric_roots_.find(name);
    if (found != metric_roots_.end()) return found->second;
    const NodeId root = Compile(*program_->plan->FindMetric(name)->value);
    metric_roots_.emplace(name, root);
    return root;
  }

  Value Text(const std::string& text) {
    program_->texts.push_back(std::make_unique<std::string>(text));
    return Value::String(*program_->texts.back());
  }
  Value CompileLiteral(const Expression& e) { return e.type == Type::kString ? Text(e.text) : e.literal; }
  Value CompileList(const Expression& e) {
    auto items = std::make_unique<std::vector<Value>>();
    for (const ExpressionPtr& arg : e.args) items->push_back(CompileLiteral(*arg));
    program_->lists.push_back(std::move(items));
    return Value::List(*program_->lists.back());
  }

  uint32_t FactName(const std::string& name) {
    auto& names = program_->fact_names;
    const auto at = std::find(names.begin(), names.end(), name);
    const auto index = static_cast<uint32_t>(at - names.begin());
    if (at == names.end()) names.push_back(name);
    return index;
  }

  uint32_t SegmentIndex(const std::string& name) const {
    const Segment* segment = program_->plan->FindSegment(name);
    return static_cast<uint32_t>(segment - program_->plan->segments.data());
  }

  // --- what is remembered ---

  uint32_t Field(const PropertyPath& path) {
    if (outer_) return outer_->Field(path);
    std::string key(path.in_context ? "c" : "p");
    key += path.is_time ? 't' : '-';
    for (const std::string& part : path.keys) key += part + '\0';
    const auto [place, inserted] = fields_.emplace(key, static_cast<uint32_t>(program_->fields.size()));
    if (inserted) program_->fields.push_back(path);
    return place->second;
  }

  uint32_t Selector(const attune::Selector& selector) {
    if (outer_) return *selectors_within_.insert(outer_->Selector(selector)).first;
    const auto [place, inserted] = selectors_.emplace(ToText(selector), static_cast<uint32_t>(program_->selectors.size()));
    if (!inserted) return place->second;
    const uint32_t id = place->second;
    program_->selectors.emplace_back();
    selector_names_.push_back(selector.names);
    for (const std::string& name : selector.names) IdOf(name);
    program_->selectors[id].filter = FilterOf(selector);
    return id;
  }

  NameId IdOf(const std::string& name) {
    return program_->names.emplace(name, static_cast<NameId>(program_->names.size())).first->second;
  }

  // The filter of a selector; kNone when it selects every event that it names.
  NodeId FilterOf(const attune::Selector& selector) {
    std::vector<NodeId> all, any;
    for (const attune::Selector& alternative : selector.alternatives) {
      const NodeId named = alternative.names.empty() ? kNone : Named(alternative.names);
      any.push_back(Joined(Kind::kAnd, {named, FilterOf(alternative)}));
    }
    all.push_back(Joined(Kind::kOr, any));
    if (selector.filter) all.push_back(Compile(*selector.filter));
    return Joined(Kind::kAnd, all);
  }

  NodeId Named(const std::vector<std::string>& names) {
    Node node;
    node.kind = Kind::kNamed;
    node.index = static_cast<uint32_t>(program_->name_sets.size());
    auto& set = program_->name_sets.emplace_back();
    for (const std::string& name : names) set.push_back(IdOf(name));
    program_->nodes.push_back(std::move(node));
    return static_cast<NodeId>(program_->nodes.size() - 1);
  }

  // Joins the parts that are not kNone; kNone when there are none.
  NodeId Joined(Kind kind, std::vector<NodeId> parts) {
    std::erase(parts, kNone);
    if (parts.size() < 2) return parts.empty() ? kNone : parts.front();
    Node node;
    node.kind = kind;
    node.first = static_cast<uint32_t>(program_->children.size());
    node.count = static_cast<uint32_t>(parts.size());
    program_->children.insert(program_->children.end(), parts.begin(), parts.end());
    program_->nodes.push_back(std::move(node));
    return static_cast<NodeId>(program_->nodes.size() - 1);
  }

  uint32_t Series(uint32_t selector, uint32_t field, uint32_t keep_count, Millis keep_span) {
    const auto [place, inserted] = series_.emplace(std::pair(selector, field), static_cast<uint32_t>(program_->series.size()));
    if (inserted) program_->series.push_back({selector, field, 0, 0});
    SeriesSpec& spec = program_->series[place->second];
    spec.keep_count = std::max(spec.keep_count, keep_count);
    spec.keep_span = std::max(spec.keep_span, keep_span);
    return place->second;
  }

  uint32_t Total(TotalSpec spec) {
    const auto key = std::tuple(spec.kind, spec.selector, spec.field, spec.from, spec.to);
    const auto [place, inserted] = totals_.emplace(key, static_cast<uint32_t>(program_->totals.size()));
    if (!inserted) return place->second;
    auto& slots = program_->total_slot_holds_value;
    spec.slot = static_cast<uint32_t>(slots.size());
    slots.push_back(spec.HoldsValue());
    slots.resize(spec.slot + spec.Words(), false);
    program_->totals.push_back(spec);
    return place->second;
  }

  // All but what it reads.
  AggregateSpec Windowed(const Expression& e) {
    AggregateSpec spec;
    spec.fn = e.kind;
    spec.window = e.window.kind;
    spec.length = e.window.length;
    spec.offset = e.window.offset;
    spec.from = e.window.from;
    spec.to = e.window.to;
    spec.number = e.number;
    if (e.window.anchor) spec.anchor = Compile(*e.window.anchor);
    return spec;
  }

  // Of what looks at a segment's changes.
  uint32_t WindowOf(const Expression& e) {
    program_->aggregates.push_back(Windowed(e));
    return static_cast<uint32_t>(program_->aggregates.size() - 1);
  }

  uint32_t Aggregate(const Expression& e, uint32_t latest) {
    AggregateSpec spec = Windowed(e);
    if (e.kind != Kind::kSessions && e.kind != Kind::kDuration) {
      const uint32_t selector = Selector(e.selector);
      const uint32_t field = e.path.keys.empty() ? kNone : Field(e.path);
      if (const auto total = TotalKind(e)) {
        spec.total = Total({*total, selector, field, RangeFrom(e.window), RangeTo(e.window)});
        if (e.kind == Kind::kAvg) {
          spec.terms = Total({TotalSpec::Kind::kTerms, selector, field, RangeFrom(e.window), RangeTo(e.window)});
        }
      } else {
        const auto [count, span] = Keep(e, latest);
        spec.series = Series(selector, field, count, span);
      }
    }
    program_->aggregates.push_back(spec);
    return static_cast<uint32_t>(program_->aggregates.size() - 1);
  }

  uint32_t Sequence(const Expression& e) {
    AggregateSpec spec = Windowed(e);
    SequenceSpec sequence;
    std::vector<uint32_t> nots;
    for (const SequenceStep& step : e.steps) {
      const uint32_t selector = Selector(step.selector);
      if (step.negated) {
        nots.push_back(selector);
      } else {
        sequence.steps.push_back({selector, step.immediate, step.within, std::exchange(nots, {})});
      }
    }
    if (!e.by.keys.empty()) sequence.by = Field(e.by);
    sequence.from = RangeFrom(e.window);
    sequence.to = RangeTo(e.window);
    const bool fixed = e.window.kind == WindowKind::kEver || e.window.kind == WindowKind::kRange;
    sequence.tally = e.kind == Kind::kSequenceMatches && fixed;
    // Whatever its key, the next event is the user's: only her whole history knows it.
    const bool next = std::any_of(e.steps.begin(), e.steps.end(), [](const SequenceStep& step) { return step.immediate; });
    spec.outer = outer_ && next;
    Compiler& owner = spec.outer ? *outer_ : *this;
    SequenceProgram& sequences = owner.program_->sequences;
    SequenceQuery query;
    query.sequence = sequences.Add(sequence, SequenceKeep(e), spec.outer ? std::span(&key_, 1) : std::span<const uint32_t>());
    query.kind = e.kind == Kind::kSequence        ? SequenceQuery::Kind::kHolds
                 : e.kind == Kind::kSequenceDepth ? SequenceQuery::Kind::kDepth
                                                  : SequenceQuery::Kind::kMatches;
    const auto key = std::tuple(query.sequence, query.kind, ToText(e.window));
    auto known = owner.sequence_queries_.find(key);
    if (known == owner.sequence_queries_.end()) known = owner.sequence_queries_.emplace(key, sequences.AddQuery(query)).first;
    spec.sequence = known->second;
    program_->aggregates.push_back(spec);
    return static_cast<uint32_t>(program_->aggregates.size() - 1);
  }

  // How far back from the user's latest event a sequence's window can begin.
  Millis SequenceKeep(const Expression& e) const {
    const WindowKind kind = e.window.kind;
    if (kind != WindowKind::kSession && kind != WindowKind::kLastSession) return Keep(e, 0).second;
    const Millis max = program_->plan->session_max;
    return max == kNever ? kNever : max + 1;
  }

  static Millis RangeFrom(const Window& w) { return w.kind == WindowKind::kRange ? w.from : kAlways; }
  static Millis RangeTo(const Window& w) { return w.kind == WindowKind::kRange ? w.to : kNever; }

  // The running figure that answers an aggregate over all events or a fixed range, if one does.
  static std::optional<TotalSpec::Kind> TotalKind(const Expression& e) {
    if (e.window.kind != WindowKind::kEver && e.window.kind != WindowKind::kRange) return std::nullopt;
    using T = TotalSpec::Kind;
    switch (e.kind) {
      case Kind::kCount: return T::kCount;
      case Kind::kSum:
      case Kind::kAvg: return T::kSum;
      case Kind::kAggregateMin: return T::kMin;
      case Kind::kAggregateMax: return T::kMax;
      case Kind::kFirst: return T::kFirst;
      case Kind::kLast: return T::kLast;
      case Kind::kFirstTime:
      case Kind::kAge: return T::kFirstTime;
      case Kind::kLastTime:
      case Kind::kSince: return T::kLastTime;
      default: return std::nullopt;
    }
  }

  // How many of the latest events, and how old ones, the aggregate can still come to need.
  static std::pair<uint32_t, Millis> Keep(const Expression& e, uint32_t latest) {
    const Window& w = e.window;
    // Windows that end at t: whatever else they say, the latest events are the ones inside.
    const bool open_ended = w.kind != WindowKind::kAfter && w.kind != WindowKind::kRange && w.offset == 0;
    const bool last = e.kind == Kind::kLast || e.kind == Kind::kLastTime || e.kind == Kind::kSince;
    if (open_ended && last) return {1, 0};
    if (open_ended && latest > 0) return {latest, 0};
    if (e.kind == Kind::kPeriods) return {0, w.length * static_cast<Millis>(e.number)};
    switch (w.kind) {
      case WindowKind::kSliding: return {0, w.length + w.offset};
      case WindowKind::kThisHour:
      case WindowKind::kToday:
      case WindowKind::kThisWeek:
      case WindowKind::kThisMonth: return {0, PeriodSpan(w.kind)};
      default: return {0, kNever};
    }
  }

  // --- keys ---

  uint32_t SharedKeys(const Expression& e) {
    const auto [place, inserted] = keys_.emplace(ToText(e), static_cast<uint32_t>(program_->keys.size()));
    if (inserted) AddKeys(e);
    return place->second;
  }

  uint32_t AddKeys(const Expression& e) {
    KeySpec spec;
    spec.kind = e.kind;
    spec.field = Field(e.path);
    spec.listed = static_cast<uint32_t>(e.number);
    auto within = std::unique_ptr<Compiler>(new Compiler(this, spec.field));
    spec.root = within->Compile(*e.args[0]);
    spec.within = within->program_;
    program_->keys.push_back(std::move(spec));
    within_.push_back(std::move(within));
    return static_cast<uint32_t>(program_->keys.size() - 1);
  }

  // A trigger's own: when a key rises it is the first to see it.
  NodeId KeyedRoot(const Expression& some) {
    Node node;
    node.kind = Kind::kSome;
    node.index = AddKeys(some);
    program_->nodes.push_back(std::move(node));
    return static_cast<NodeId>(program_->nodes.size() - 1);
  }

  // A calendar period and the longest change of clocks.
  static Millis PeriodSpan(WindowKind kind) {
    switch (kind) {
      case WindowKind::kThisHour: return 3 * kHour;
      case WindowKind::kToday: return 3 * kDay;
      case WindowKind::kThisWeek: return 9 * kDay;
      default: return 33 * kDay;
    }
  }

  // --- conditions ---

  void OrderSegments() {
    const Plan& plan = *program_->plan;
    program_->segment_count = plan.segments.size();
    program_->condition_of_segment.assign(plan.segments.size(), kNone);
    for (uint32_t i = 0; i < plan.segments.size(); ++i) PlaceSegment(i);
    for (Node& node : program_->nodes) {
      if (NamesSegment(node.kind)) node.index = program_->condition_of_segment[node.index];
    }
  }

  void PlaceSegment(uint32_t index) {
    if (program_->condition_of_segment[index] != kNone) return;
    Uses uses;
    Collect(segment_roots_[index], &uses);
    for (const uint32_t used : uses.segments) PlaceSegment(used);
    const Segment& segment = program_->plan->segments[index];
    Condition condition;
    condition.name = segment.name;
    condition.root = segment_roots_[index];
    condition.segment = &segment;
    program_->condition_of_segment[index] = static_cast<ConditionId>(program_->conditions.size());
    program_->conditions.push_back(std::move(condition));
  }

  void AddTrigger(const Trigger& trigger) {
    const size_t nodes = program_->nodes.size();
    Condition condition;
    condition.name = trigger.name;
    condition.trigger = &trigger;
    Compiler* carried = this;
    if (const Expression* some = program_->plan->KeyedBy(trigger)) {
      condition.root = KeyedRoot(*some);
      condition.keys = program_->nodes[condition.root].index;
      carried = within_[condition.keys].get();
    } else if (trigger.when) {
      condition.root = Compile(*trigger.when);
    }
    if (trigger.kind == Trigger::Kind::kOn) condition.on_selector = Selector(trigger.on);
    if (trigger.only_if) condition.only_if = Compile(*trigger.only_if);
    if (const TriggerGroup* group = program_->plan->FindTriggerGroup(trigger.group)) condition.group_cap = group->at_most;
    condition.firings_count = std::max({trigger.cooldown, trigger.at_most ? trigger.at_most->span : 0, condition.group_cap.span});
    for (const auto& [name, value] : trigger.with) condition.with.emplace_back(name, carried->Compile(*value));
    for (size_t i = nodes; i < program_->nodes.size(); ++i) {
      Node& node = program_->nodes[i];
      if (NamesSegment(node.kind)) node.index = program_->condition_of_segment[node.index];
    }
    if (trigger.kind == Trigger::Kind::kOn) {
      program_->condition_of_on_trigger.push_back(static_cast<ConditionId>(program_->conditions.size()));
    }
    program_->conditions.push_back(std::move(condition));
  }

  void SetSessionRules() {
    const Plan& plan = *program_->plan;
    bool used = UsesSessions(*program_);
    for (const KeySpec& keys : program_->keys) used |= UsesSessions(*keys.within);
    program_->sessions = {plan.session_gap, plan.session_max, used, static_cast<size_t>(plan.limit_events)};
  }

  static bool UsesSessions(const Program& program) {
    return std::any_of(program.aggregates.begin(), program.aggregates.end(), [](const AggregateSpec& a) { return UsesSessions(a); });
  }

  static bool UsesSessions(const AggregateSpec& a) {
    return a.window == WindowKind::kSession || a.window == WindowKind::kLastSession || a.fn == Kind::kSessions;
  }

  // --- who listens to what ---

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

  static std::optional<FactKind> FactOf(Kind kind) {
    switch (kind) {
      case Kind::kTrait: return FactKind::kTrait;
      case Kind::kConsent: return FactKind::kConsent;
      case Kind::kScore: return FactKind::kScore;
      case Kind::kCluster: return FactKind::kCluster;
      default: return std::nullopt;
    }
  }

  void Collect(NodeId id, Uses* uses) const {
    const Node& node = program_->nodes[id];
    for (uint32_t i = 0; i < node.count; ++i) Collect(program_->children[node.first + i], uses);
    if (NamesSegment(node.kind)) uses->segments.insert(node.index);
    if (const auto fact = FactOf(node.kind)) uses->facts[static_cast<size_t>(*fact)] = true;
    if (IsKeyed(node.kind)) CollectWithin(node.index, uses);
    if (node.aggregate == kNone) return;
    const AggregateSpec& a = program_->aggregates[node.aggregate];
    uses->sessions |= UsesSessions(a);
    uses->past_sessions |= UsesSessions(a) && (a.window != WindowKind::kSession || a.fn == Kind::kSessions);
    uses->every_event |= a.fn == Kind::kDuration;
    if (a.series != kNone) uses->selectors.insert(program_->series[a.series].selector);
    if (a.total != kNone) uses->selectors.insert(program_->totals[a.total].selector);
    uses->sequences |= a.sequence != kNone;
    if (a.sequence != kNone && !a.outer) CollectSteps(a.sequence, uses);
    if (a.anchor != kNone) Collect(a.anchor, uses);
  }

  // All but the selectors: an event without the property changes no key.
  void CollectWithin(uint32_t keys, Uses* uses) const {
    Uses within;
    within_[keys]->Collect(program_->keys[keys].root, &within);
    uses->keys.insert(keys);
    uses->segments.insert(within.segments.begin(), within.segments.end());
    uses->sessions |= within.sessions;
    uses->past_sessions |= within.sessions;
    uses->every_event |= within.every_event;
    uses->sequences |= within.sequences;
    for (size_t kind = 0; kind < kFactKinds; ++kind) uses->facts[kind] |= within.facts[kind];
  }

  // An event in order completes a match with the last step, and makes a run deeper with any. With one that is not to
  // happen it does neither: what has matched stays.
  void CollectSteps(uint32_t query_id, Uses* uses) const {
    const SequenceProgram& sequences = program_->sequences;
    const SequenceQuery& query = sequences.query(query_id);
    const auto steps = sequences.steps(sequences.sequence(query.sequence));
    const bool all = query.kind == SequenceQuery::Kind::kDepth;
    for (const SequenceProgram::Step& step : all ? steps : steps.last(1)) uses->selectors.insert(sequences.SelectorOf(step.mark));
  }

  // Tables by name and by selector.
  void Link() {
    Program& p = *program_;
    LinkState(p.selectors.size());
    for (uint32_t k = 0; k < p.keys.size(); ++k) LinkWithin(k);
    p.selectors_of_name.resize(p.names.size());
    for (uint32_t s = 0; s < selector_names_.size(); ++s) {
      for (const auto& [name, id] : p.names) {
        const auto& wanted = selector_names_[s];
        if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end()) p.selectors_of_name[id].push_back(s);
      }
    }
    p.fields_of_name.resize(p.names.size());
    for (NameId name = 0; name < p.names.size(); ++name) {
      std::set<uint32_t> fields;
      for (const KeySpec& keys : p.keys) fields.insert(keys.field);
      for (const uint32_t s : p.selectors_of_name[name]) {
        if (p.selectors[s].filter != kNone) FieldsOfNode(p.selectors[s].filter, &fields);
        FieldsOf(s, &fields);
        for (const auto& within : within_) within->FieldsOf(s, &fields);
      }
      p.fields_of_name[name].assign(fields.begin(), fields.end());
    }
  }

  // What a user's state, or a key's, is laid out by.
  void LinkState(size_t selectors) {
    Program& p = *program_;
    p.series_limit = static_cast<uint32_t>(p.plan->limit_events);
    p.long_series = std::min(p.long_series, p.series_limit);
    p.sequences.Link(selectors, static_cast<size_t>(p.plan->limit_events));
    const size_t bits[] = {p.series.size(), p.total_slot_holds_value.size(), p.conditions.size(), p.conditions.size()};
    for (size_t i = 0; i < std::size(bits); ++i) p.state.first[i + 1] = p.state.first[i] + static_cast<uint32_t>((bits[i] + 63) / 64);
    p.state.id = p.state.first[std::size(bits)];
    p.series_of_selector.resize(selectors);
    p.totals_of_selector.resize(selectors);
    for (uint32_t i = 0; i < p.series.size(); ++i) p.series_of_selector[p.series[i].selector].push_back(i);
    for (uint32_t i = 0; i < p.totals.size(); ++i) p.totals_of_selector[p.totals[i].selector].push_back(i);
  }

  void LinkWithin(uint32_t keys) {
    KeySpec& spec = program_->keys[keys];
    Compiler& within = *within_[keys];
    within.LinkState(program_->selectors.size());
    within.program_->sessions = program_->sessions;
    for (Node& node : within.program_->nodes) {
      if (NamesSegment(node.kind)) node.index = program_->condition_of_segment[node.index];
    }
    spec.selectors.resize(program_->selectors.size());
    for (const uint32_t selector : within.selectors_within_) spec.selectors[selector] = true;
    Uses uses;
    within.Collect(spec.root, &uses);
    spec.reads_clock = spec.within->ReadsClock(spec.root);
    spec.sessions = uses.sessions;
    spec.every_event = uses.every_event;
    std::copy(std::begin(uses.facts), std::end(uses.facts), spec.facts);
    program_->keys_of_segment.resize(program_->conditions.size());
    for (const uint32_t segment : uses.segments) program_->keys_of_segment[segment].push_back(keys);
  }

  void FieldsOf(uint32_t selector, std::set<uint32_t>* fields) const {
    const Program& p = *program_;
    for (const uint32_t i : p.series_of_selector[selector]) {
      if (p.series[i].field != kNone) fields->insert(p.series[i].field);
    }
    for (const uint32_t i : p.totals_of_selector[selector]) {
      if (p.totals[i].field != kNone) fields->insert(p.totals[i].field);
    }
    const uint32_t mark = p.sequences.MarkOf(selector);
    if (mark == SequenceProgram::kNoMark) return;
    for (const uint32_t column : p.sequences.ColumnsOf(mark)) fields->insert(p.sequences.FieldOf(column));
  }

  void FieldsOfNode(NodeId id, std::set<uint32_t>* fields) const {
    const Node& node = program_->nodes[id];
    if (node.kind == Kind::kProperty) fields->insert(node.index);
    for (uint32_t i = 0; i < node.count; ++i) FieldsOfNode(program_->children[node.first + i], fields);
  }

  // What one more event in order can do to a condition, at every instant from then on: nothing but turn it to true, nothing
  // but turn it to false, neither (what it listens to otherwise has it judged anyway), or anything.
  struct Trend {
    bool rises = false;
    bool falls = false;
  };

  // Of any event, or of those of one selector.
  Trend TrendOf(NodeId id, std::optional<uint32_t> selector) const {
    const Node& node = program_->nodes[id];
    const auto child = [&](uint32_t i) { return program_->children[node.first + i]; };
    const bool joins = node.kind == Kind::kAnd || node.kind == Kind::kOr || node.kind == Kind::kNot;
    if (!joins && selector && !Reads(id, *selector)) return {true, true};
    switch (node.kind) {
      case Kind::kLiteral:
      case Kind::kTrait:
      case Kind::kConsent:
      case Kind::kInSegment:
      case Kind::kInSegmentFor:
      case Kind::kBucket: return {true, true};
      case Kind::kSequence: {
        const NodeId anchor = program_->aggregates[node.aggregate].anchor;
        return {anchor == kNone || (selector && !Reads(anchor, *selector)), false};
      }
      case Kind::kNot: {
        const Trend x = TrendOf(child(0), selector);
        return {x.falls, x.rises};
      }
      case Kind::kAnd:
      case Kind::kOr: {
        Trend all{true, true};
        for (uint32_t i = 0; i < node.count; ++i) {
          const Trend x = TrendOf(child(i), selector);
          all = {all.rises && x.rises, all.falls && x.falls};
        }
        return all;
      }
      case Kind::kEqual:
      case Kind::kNotEqual:
      case Kind::kLess:
      case Kind::kLessEqual:
      case Kind::kGreater:
      case Kind::kGreaterEqual:
        return TrendOfComparison(node.kind, program_->nodes[child(0)], program_->nodes[child(1)], selector);
      default: return {};
    }
  }

  bool Reads(NodeId id, uint32_t selector) const {
    Uses uses;
    Collect(id, &uses);
    return uses.selectors.contains(selector);
  }

  // An aggregate against a literal. Null, before there is any event, is as good as too small or too large, whichever makes
  // the comparison false: so those that can be null only ever rise.
  Trend TrendOfComparison(Kind op, const Node& left, const Node& right, std::optional<uint32_t> selector) const {
    if (left.aggregate == kNone || right.kind != Kind::kLiteral) return {};
    const NodeId anchor = program_->aggregates[left.aggregate].anchor;
    if (anchor != kNone && (!selector || Reads(anchor, *selector))) return {};
    const bool least = op == Kind::kGreater || op == Kind::kGreaterEqual;
    const bool most = op == Kind::kLess || op == Kind::kLessEqual;
    if (!least && !most) {
      const bool counts = left.kind == Kind::kCount || left.kind == Kind::kDistinct;
      const bool none = counts && right.literal.type() == Type::kNumber && right.literal.number() == 0;
      return {none && op == Kind::kNotEqual, none && op == Kind::kEqual};
    }
    switch (left.kind) {
      case Kind::kCount:
      case Kind::kSum:  // of what is not below zero; the engine looks at what comes in
      case Kind::kDistinct:
      case Kind::kSequenceDepth:
      case Kind::kSequenceMatches: return {least, most};
      case Kind::kPeriods: return {least, false};
      // Of values of several types the numbers come first.
      case Kind::kAggregateMax: return {least && right.literal.type() == Type::kNumber, false};
      case Kind::kAggregateMin: return {most && right.literal.type() == Type::kNumber, false};
      case Kind::kSince:
      case Kind::kAge: return {most, false};
      default: return {};
    }
  }

  void Listen() {
    Program& p = *program_;
    const ConditionSet none(p.conditions.size());
    p.listeners_of_selector.assign(p.selectors.size(), {none, none, none, none, {}, {}});
    p.listeners_of_sequence.resize(p.sequences.size());
    p.listeners_of_keys.assign(p.keys.size(), none);
    p.keys_of_segment.resize(p.conditions.size());
    p.dependents_of_segment.assign(p.conditions.size(), none);
    p.rising = p.falling = p.clock_readers = p.session_listeners = p.past_session_listeners = p.event_listeners = none;
    p.fact_listeners.assign(kFactKinds, none);
    for (ConditionId c = 0; c < p.conditions.size(); ++c) {
      if (p.conditions[c].root == kNone || p.conditions[c].on_selector != kNone) continue;  // looked at when it is `on`
      Uses uses;
      Collect(p.conditions[c].root, &uses);
      for (const uint32_t selector : uses.selectors) ListenTo(selector, c);
      AddGuards(c, p.conditions[c].root, true, false);
      for (const uint32_t keys : uses.keys) p.listeners_of_keys[keys].Add(c);
      for (const uint32_t segment : uses.segments) p.dependents_of_segment[segment].Add(c);
      if (p.ReadsClock(p.conditions[c].root)) p.clock_readers.Add(c);
      if (uses.sessions) p.session_listeners.Add(c);
      if (uses.past_sessions) p.past_session_listeners.Add(c);
      if (uses.every_event) p.event_listeners.Add(c);
      for (size_t kind = 0; kind < kFactKinds; ++kind) {
        if (uses.facts[kind]) p.fact_listeners[kind].Add(c);
      }
      const Trend trend = TrendOf(p.conditions[c].root, std::nullopt);
      if (trend.rises) p.rising.Add(c);
      if (trend.falls) p.falling.Add(c);
    }
    for (Listeners& listeners : p.listeners_of_selector) listeners.Finish();
  }

  void ListenTo(uint32_t selector, ConditionId c) {
    const NodeId root = program_->conditions[c].root;
    Listeners& listeners = program_->listeners_of_selector[selector];
    listeners.all.Add(c);
    const Trend trend = TrendOf(root, selector);
    if (trend.rises) listeners.rising.Add(c);
    if (trend.falls) listeners.falling.Add(c);
    if (const auto wait = WaitOf(*program_, root, selector)) listeners.waits.push_back({c, *wait});
  }

  // Finds for everything that a condition joins by `and`, `or` and `not` what tells whether an event may change it.
  void AddGuards(ConditionId c, NodeId id, bool alone, bool negated) {
    Program& p = *program_;
    const Node& node = p.nodes[id];
    if (node.kind == Kind::kNot) return AddGuards(c, p.children[node.first], alone, !negated);
    if (node.kind == Kind::kAnd || node.kind == Kind::kOr) {
      for (uint32_t i = 0; i < node.count; ++i) AddGuards(c, p.children[node.first + i], false, negated);
      return;
    }
    if (const auto sequence = SequenceOf(node)) {
      p.listeners_of_sequence[*sequence].push_back(c);
      return;
    }
    auto guard = GuardOf(p, id, alone);
    if (guard) {
      guard->condition = c;
      guard->negated = negated;
      guard->when_reached = guard->when_reached != negated;
    }
    Uses uses;
    Collect(id, &uses);
    for (const uint32_t selector : uses.selectors) {
      if (guard) {
        p.listeners_of_selector[selector].Add(p.aggregates[p.nodes[p.children[node.first]].aggregate].series, *guard);
      } else {
        p.listeners_of_selector[selector].unguarded.Add(c);
      }
    }
  }

  // The live sequence that alone decides a condition or a comparison with a literal.
  std::optional<uint32_t> SequenceOf(const Node& node) const {
    const bool compares = node.kind >= Kind::kEqual && node.kind <= Kind::kGreaterEqual;
    if (compares && program_->nodes[program_->children[node.first + 1]].kind != Kind::kLiteral) return std::nullopt;
    const Node& at = compares ? program_->nodes[program_->children[node.first]] : node;
    if (!IsSequence(at.kind)) return std::nullopt;
    const AggregateSpec& spec = program_->aggregates[at.aggregate];
    if (spec.outer || spec.anchor != kNone) return std::nullopt;
    const SequenceQuery& query = program_->sequences.query(spec.sequence);
    const SequenceProgram::Sequence& sequence = program_->sequences.sequence(query.sequence);
    const bool followed = sequence.tally || (sequence.live && query.kind != SequenceQuery::Kind::kMatches);
    return followed ? std::optional(query.sequence) : std::nullopt;
  }

  // --- what segments were ---

  void Track() {
    Program& p = *program_;
    p.tracked_of_segment.assign(p.conditions.size(), kNone);
    TrackWhatIsNamedIn(p);
    for (const KeySpec& keys : p.keys) TrackWhatIsNamedIn(*keys.within);
    p.past.selectors.assign(p.selectors.size(), false);
    std::set<ConditionId> conditions;
    for (const TrackedSegment& tracked : p.tracked) {
      AddPast(tracked.segment, &conditions);
      p.past.span = std::max(p.past.span, Sum(tracked.keep_span, ReachOfSegment(tracked.segment)));
      p.past.changes_span = std::max(p.past.changes_span, Sum(tracked.keep_span, ChangesReachOfSegment(tracked.segment)));
    }
    p.past.conditions.assign(conditions.begin(), conditions.end());
  }

  void TrackWhatIsNamedIn(const Program& program) {
    Program& p = *program_;
    for (const Node& node : program.nodes) {
      if (!program.NamesPast(node.kind)) continue;
      uint32_t& tracked = p.tracked_of_segment[node.index];
      if (tracked == kNone) {
        tracked = static_cast<uint32_t>(p.tracked.size());
        p.tracked.push_back({node.index, 0});
      }
      Millis& span = p.tracked[tracked].keep_span;
      span = std::max(span, SpanOf(program.aggregates[node.aggregate]));
    }
  }

  void AddPast(ConditionId c, std::set<ConditionId>* conditions) {
    if (!conditions->insert(c).second) return;
    Program::Past& past = program_->past;
    Uses uses;
    Collect(program_->conditions[c].root, &uses);
    for (const uint32_t selector : uses.selectors) past.selectors[selector] = true;
    past.all_events |= uses.sessions || uses.every_event || uses.sequences || !uses.keys.empty();
    past.keys.insert(uses.keys.begin(), uses.keys.end());
    past.sequences |= uses.sequences;
    for (size_t kind = 0; kind < kFactKinds; ++kind) past.facts[kind] |= uses.facts[kind];
    for (const uint32_t segment : uses.segments) AddPast(segment, conditions);
  }

  static Millis Sum(Millis a, Millis b) { return a > kNever - b ? kNever : a + b; }

  // How old what the window shows can be.
  static Millis SpanOf(const AggregateSpec& a) {
    if (a.fn == Kind::kInSegmentFor) return a.length;
    if (a.fn == Kind::kPeriods) return a.length * static_cast<Millis>(a.number);
    switch (a.window) {
      case WindowKind::kSliding: return a.length + a.offset;
      case WindowKind::kThisHour:
      case WindowKind::kToday:
      case WindowKind::kThisWeek:
      case WindowKind::kThisMonth: return PeriodSpan(a.window);
      default: return kNever;
    }
  }

  // How far before an instant that which decides an expression at it can lie. Facts are kept in any case.
  Millis ReachOf(NodeId id) const {
    const Node& node = program_->nodes[id];
    if (IsKeyed(node.kind)) return kNever;  // a key is there from its first event on
    Millis reach = 0;
    for (uint32_t i = 0; i < node.count; ++i) reach = std::max(reach, ReachOf(program_->children[node.first + i]));
    if (node.aggregate != kNone) {
      const AggregateSpec& a = program_->aggregates[node.aggregate];
      // Sessions are runs of events, however long.
      reach = std::max(reach, UsesSessions(a) || a.anchor != kNone ? kNever : SpanOf(a));
    }
    return NamesSegment(node.kind) ? Sum(reach, ReachOfSegment(node.index)) : reach;
  }

  Millis ReachOfSegment(ConditionId segment) const {
    if (const auto known = reaches_.find(segment); known != reaches_.end()) return known->second;
    return reaches_[segment] = ReachOf(program_->conditions[segment].root);
  }

  // How far before an instant the changes of tracked segments that decide an expression at it can lie: those of a segment
  // that looks back at another's lie as far back again.
  Millis ChangesReachOf(NodeId id) const {
    const Node& node = program_->nodes[id];
    if (IsKeyed(node.kind)) {
      const auto& within = program_->keys[node.index].within->nodes;
      return std::any_of(within.begin(), within.end(), [](const Node& n) { return NamesSegment(n.kind); }) ? kNever : 0;
    }
    Millis reach = 0;
    for (uint32_t i = 0; i < node.count; ++i) reach = std::max(reach, ChangesReachOf(program_->children[node.first + i]));
    if (node.aggregate != kNone && program_->aggregates[node.aggregate].anchor != kNone) {
      reach = std::max(reach, ChangesReachOf(program_->aggregates[node.aggregate].anchor));
    }
    if (!NamesSegment(node.kind)) return reach;
    const Millis span = program_->NamesPast(node.kind) ? SpanOf(program_->aggregates[node.aggregate]) : 0;
    return std::max(reach, Sum(span, ChangesReachOfSegment(node.index)));
  }

  Millis ChangesReachOfSegment(ConditionId segment) const {
    if (const auto known = changes_reaches_.find(segment); known != changes_reaches_.end()) return known->second;
    return changes_reaches_[segment] = ChangesReachOf(program_->conditions[segment].root);
  }

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
  std::set<uint32_t> selectors_within_;            // those of the program around this one that stand in it
};

std::shared_ptr<const Program> Program::Compile(std::shared_ptr<const Plan> plan, const Expression* extra) {
  return Compiler(std::move(plan)).Run(extra);
}

bool Program::TellsUsersApart(NodeId root) const {
  const Node& node = nodes[root];
  bool apart = node.kind == Expression::Kind::kBucket;
  for (uint32_t i = 0; i < node.count; ++i) apart |= TellsUsersApart(children[node.first + i]);
  if (node.aggregate != kNone && aggregates[node.aggregate].anchor != kNone) apart |= TellsUsersApart(aggregates[node.aggregate].anchor);
  return apart;
}

bool Program::ReadsClock(NodeId root) const {
  using K = Expression::Kind;
  using W = Window::Kind;
  const Node& node = nodes[root];
  if (node.kind == K::kHour || node.kind == K::kWeekday || node.kind == K::kDate) return true;
  if (node.kind == K::kSome || node.kind == K::kTop) return keys[node.index].within->ReadsClock(keys[node.index].root);
  for (uint32_t i = 0; i < node.count; ++i) {
    if (ReadsClock(children[node.first + i])) return true;
  }
  if (node.aggregate == kNone) return false;
  const AggregateSpec& spec = aggregates[node.aggregate];
  if (spec.window >= W::kThisHour && spec.window <= W::kThisMonth) return true;
  return spec.anchor != kNone && ReadsClock(spec.anchor);
}

}  // namespace attune
