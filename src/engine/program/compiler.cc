// The order of compilation, and the tables by name and by selector.
#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

Compiler::Compiler(std::shared_ptr<const Plan> plan) {
  auto zone = Zone::Find(plan->timezone);
  ATTUNE_CHECK(zone.ok(), "the plan was checked when it was loaded");
  program_ = std::shared_ptr<Program>(new Program(*zone));
  program_->plan = std::move(plan);
}

std::shared_ptr<const Program> Compiler::Run(const Expression* extra) {
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

Compiler::Compiler(Compiler* outer, uint32_t key) : outer_(outer), key_(key) {
  program_ = std::shared_ptr<Program>(new Program(outer->program_->zone));
  program_->plan = outer->program_->plan;
}

void Compiler::SetSessionRules() {
  const Plan& plan = *program_->plan;
  bool used = UsesSessions(*program_);
  for (const KeySpec& keys : program_->keys) used |= UsesSessions(*keys.within);
  program_->sessions = {plan.session_gap, plan.session_max, used, static_cast<size_t>(plan.limit_events)};
}

void Compiler::Link() {
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

void Compiler::LinkState(size_t selectors) {
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

void Compiler::LinkWithin(uint32_t keys) {
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

void Compiler::FieldsOf(uint32_t selector, std::set<uint32_t>* fields) const {
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

void Compiler::FieldsOfNode(NodeId id, std::set<uint32_t>* fields) const {
  const Node& node = program_->nodes[id];
  if (node.kind == Kind::kProperty) fields->insert(node.index);
  for (uint32_t i = 0; i < node.count; ++i) FieldsOfNode(program_->children[node.first + i], fields);
}

std::shared_ptr<const Program> Program::Compile(std::shared_ptr<const Plan> plan, const Expression* extra) {
  return Compiler(std::move(plan)).Run(extra);
}

bool Program::DependsOnUser(NodeId root) const {
  const Node& node = nodes[root];
  bool apart = node.kind == Expression::Kind::kBucket;
  for (uint32_t i = 0; i < node.count; ++i) apart |= DependsOnUser(children[node.first + i]);
  if (node.aggregate != kNone && aggregates[node.aggregate].anchor != kNone) apart |= DependsOnUser(aggregates[node.aggregate].anchor);
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
