// Expressions as nodes: literals, comparisons and their shortcuts.
#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

NodeId Compiler::Compile(const Expression& e, uint32_t latest) {
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
  FillNode(e, latest, &node);
  node.moving = IsMoving(e, children);
  if (IsComparison(e.kind)) {
    const Node& left = program_->nodes[children[0]];
    const Node& right = program_->nodes[children[1]];
    node.shortcut = ShortcutOf(e.kind, left, right);
    const bool reaches = node.shortcut == Shortcut::kReaches || node.shortcut == Shortcut::kBeyond;
    if (reaches) node.index = AddReach(e.kind, left, right.literal.number());
  }
  return AddNode(std::move(node), children);
}

void Compiler::FillNode(const Expression& e, uint32_t latest, Node* node) {
  switch (e.kind) {
    case Kind::kLiteral: node->literal = CompileLiteral(e); break;
    case Kind::kProperty: node->index = Field(e.path); break;
    case Kind::kTrait:
    case Kind::kConsent:
    case Kind::kScore:
    case Kind::kCluster: node->index = FactName(e.text); break;
    case Kind::kMatches: node->pattern = Pattern::Compile(e.text).value(); break;
    case Kind::kInSegment: node->index = SegmentIndex(e.text); break;
    case Kind::kInSegmentFor:
    case Kind::kEntered:
    case Kind::kLeft:
      node->index = SegmentIndex(e.text);
      node->aggregate = WindowOf(e);
      break;
    case Kind::kBucket: node->literal = Text(e.text); break;
    case Kind::kSome:
    case Kind::kTop: node->index = SharedKeys(e); break;
    default:
      if (e.kind == Kind::kAggregate) node->aggregate = AddAggregate(e, latest);
      if (IsSequence(e.kind)) node->aggregate = Sequence(e);
  }
}

NodeId Compiler::AddNode(Node node, const std::vector<NodeId>& children) {
  node.first = static_cast<uint32_t>(program_->children.size());
  node.count = static_cast<uint32_t>(children.size());
  program_->children.insert(program_->children.end(), children.begin(), children.end());
  program_->nodes.push_back(std::move(node));
  return static_cast<NodeId>(program_->nodes.size() - 1);
}

bool Compiler::NamesSegment(Kind kind) {
  return kind == Kind::kInSegment || kind == Kind::kInSegmentFor || kind == Kind::kEntered || kind == Kind::kLeft;
}

bool Compiler::IsMoving(const Expression& e, const std::vector<NodeId>& children) const {
  if (e.kind == Kind::kAggregate) return e.aggregate->moves;
  const bool carries = e.kind >= Kind::kAdd && e.kind <= Kind::kScale;
  return carries && std::any_of(children.begin(), children.end(), [&](NodeId c) { return program_->nodes[c].moving; });
}

uint32_t Compiler::DecisiveCount(const Expression& e) {
  if (!IsComparison(e.kind) || e.args[0]->kind != Kind::kAggregate) return 0;
  if (e.args[0]->aggregate->method != Method::kCount) return 0;
  const Expression& bound = *e.args[1];
  if (bound.kind != Kind::kLiteral || bound.type != Type::kNumber) return 0;
  const double n = bound.literal.number();
  if (n >= 1000) return 0;
  return static_cast<uint32_t>(std::max(0.0, std::floor(n))) + 1;
}

Shortcut Compiler::ShortcutOf(Kind op, const Node& left, const Node& right) const {
  if (right.kind != Kind::kLiteral || left.aggregate == kNone) return Shortcut::kNone;
  const AggregateSpec& spec = program_->aggregates[left.aggregate];
  if (left.moving && right.literal.type() == Type::kDuration) return Shortcut::kAge;
  if (spec.series == kNone || right.literal.type() != Type::kNumber) return Shortcut::kNone;
  // If the window ends before t, the latest events are not in it.
  if (spec.anchor != kNone || spec.offset != 0 || spec.window == WindowKind::kRange) return Shortcut::kNone;
  if (op == Kind::kEqual || op == Kind::kNotEqual) return spec.method == Method::kCount ? Shortcut::kCountIs : Shortcut::kNone;
  switch (spec.method) {
    case Method::kMin:
    case Method::kMax: return Shortcut::kBeyond;
    case Method::kCount:
    case Method::kDistinct:
    case Method::kSum: return Shortcut::kReaches;
    default: return Shortcut::kNone;
  }
}

uint32_t Compiler::AddReach(Kind op, const Node& left, double bound) {
  const AggregateSpec& spec = program_->aggregates[left.aggregate];
  Reach reach;
  reach.method = spec.method;
  reach.window = spec.window;
  const bool least = spec.method == Method::kMin;  // for min, beyond the bound means below it
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

NodeId Compiler::MetricRoot(const std::string& name) {
  const auto found = metric_roots_.find(name);
  if (found != metric_roots_.end()) return found->second;
  const NodeId root = Compile(*program_->plan->FindMetric(name)->value);
  metric_roots_.emplace(name, root);
  return root;
}

Value Compiler::Text(const std::string& text) {
  program_->texts.push_back(std::make_unique<std::string>(text));
  return Value::String(*program_->texts.back());
}

Value Compiler::CompileList(const Expression& e) {
  auto items = std::make_unique<std::vector<Value>>();
  for (const ExpressionPtr& arg : e.args) items->push_back(CompileLiteral(*arg));
  program_->lists.push_back(std::move(items));
  return Value::List(*program_->lists.back());
}

uint32_t Compiler::FactName(const std::string& name) {
  auto& names = program_->fact_names;
  const auto at = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<uint32_t>(at - names.begin());
  if (at == names.end()) names.push_back(name);
  return index;
}

uint32_t Compiler::SegmentIndex(const std::string& name) const {
  const Segment* segment = program_->plan->FindSegment(name);
  return static_cast<uint32_t>(segment - program_->plan->segments.data());
}

}  // namespace attune
