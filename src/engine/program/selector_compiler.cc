// What is kept of events: fields, selectors, series and totals, each shared by all nodes that read it.
#include <algorithm>
#include <utility>

#include "engine/program/compiler.h"

namespace attune {

uint32_t Compiler::Field(const PropertyPath& path) {
  if (outer_) return outer_->Field(path);
  std::string key(path.in_context ? "c" : "p");
  key += path.is_time ? 't' : '-';
  for (const std::string& part : path.keys) key += part + '\0';
  const auto [place, inserted] = fields_.emplace(key, static_cast<uint32_t>(program_->fields.size()));
  if (inserted) program_->fields.push_back(path);
  return place->second;
}

uint32_t Compiler::Selector(const attune::Selector& selector) {
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

NameId Compiler::IdOf(const std::string& name) {
  return program_->names.emplace(name, static_cast<NameId>(program_->names.size())).first->second;
}

NodeId Compiler::FilterOf(const attune::Selector& selector) {
  std::vector<NodeId> all, any;
  for (const attune::Selector& alternative : selector.alternatives) {
    const NodeId named = alternative.names.empty() ? kNone : Named(alternative.names);
    any.push_back(Joined(Kind::kAnd, {named, FilterOf(alternative)}));
  }
  all.push_back(Joined(Kind::kOr, any));
  if (selector.filter) all.push_back(Compile(*selector.filter));
  return Joined(Kind::kAnd, all);
}

NodeId Compiler::Named(const std::vector<std::string>& names) {
  Node node;
  node.kind = Kind::kNamed;
  node.index = static_cast<uint32_t>(program_->name_sets.size());
  auto& set = program_->name_sets.emplace_back();
  for (const std::string& name : names) set.push_back(IdOf(name));
  return AddNode(std::move(node), {});
}

NodeId Compiler::Joined(Kind kind, std::vector<NodeId> parts) {
  std::erase(parts, kNone);
  if (parts.size() < 2) return parts.empty() ? kNone : parts.front();
  Node node;
  node.kind = kind;
  return AddNode(std::move(node), parts);
}

uint32_t Compiler::Series(uint32_t selector, uint32_t field, uint32_t keep_count, Millis keep_span) {
  const auto [place, inserted] = series_.emplace(std::pair(selector, field), static_cast<uint32_t>(program_->series.size()));
  if (inserted) program_->series.push_back({selector, field, 0, 0});
  SeriesSpec& spec = program_->series[place->second];
  spec.keep_count = std::max(spec.keep_count, keep_count);
  spec.keep_span = std::max(spec.keep_span, keep_span);
  return place->second;
}

uint32_t Compiler::Total(TotalSpec spec) {
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

}  // namespace attune
