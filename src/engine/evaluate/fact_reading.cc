// Reads facts about the user, and when the user entered and left segments.
#include <algorithm>
#include <charconv>

#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"

namespace attune {
namespace {

using Kind = Expression::Kind;

}  // namespace

Value Evaluator::ReadFact(FactKind kind, const std::string& name) {
  const Fact* fact = outer_->FindFact(kind, name);
  return fact ? FactValue(fact->json) : Value();
}

Value Evaluator::FactValue(std::string_view json) {
  if (json == "true" || json == "false") return Value::Bool(json == "true");
  if (json.size() >= 2 && json.front() == '"' && json.find('\\') == std::string_view::npos) {
    return Value::String(json.substr(1, json.size() - 2));
  }
  double number;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), number);
  if (error == std::errc() && end == json.data() + json.size()) return Value::Number(number);
  // Escaped text and lists need the reader of events. A value lives as long as its reader.
  readers_.emplace_back();
  if (!readers_.back().Open("{\"traits\":{\"value\":" + std::string(json) + "}}").ok()) return Value();
  static const std::vector<std::string> kKeys = {"value"};
  return readers_.back().Find("traits", kKeys);
}

std::span<const Millis> Evaluator::ChangesOf(ConditionId segment) {
  const Memberships* memberships = outer_->memberships();
  if (!memberships) return {};
  if (memberships->truncated()) incomplete_ = true;
  return memberships->changes(outer_program_->tracked_of_segment[segment]);
}

Outcome Evaluator::MemberFor(const attune::Node& node) {
  const std::span<const Millis> changes = ChangesOf(node.index);
  if (changes.size() % 2 == 0) return {false, kNever};
  const Millis reached = Later(changes.back(), program_.aggregates[node.aggregate].length);
  return {reached <= t_, reached <= t_ ? kNever : reached};
}

// Whether a change of that kind is in the window. The last change to leave the window determines how long.
Outcome Evaluator::Changed(const attune::Node& node) {
  const AggregateSpec& spec = program_.aggregates[node.aggregate];
  const Bounds bounds = BoundsOf(spec);
  if (bounds.none) return {false, bounds.until};
  const std::span<const Millis> changes = ChangesOf(node.index);
  const size_t first = node.kind == Kind::kEntered ? 0 : 1;
  const size_t size = (changes.size() + 1 - first) / 2;
  const auto time = [&](size_t i) { return changes[2 * i + first]; };
  const auto up_to = [&](Millis t) {
    const auto count = static_cast<size_t>(std::upper_bound(changes.begin(), changes.end(), t) - changes.begin());
    return (count + 1 - first) / 2;
  };
  const size_t from = bounds.low == kAlways ? 0 : up_to(bounds.low);
  const size_t to = bounds.high == kNever ? size : std::max(from, up_to(bounds.high));
  const bool shown = from < to;
  if (spec.anchor != kNone) return {shown, AnchorStays(spec, bounds, size, from, to, time)};
  if (!bounds.sliding) return {shown, shown ? bounds.until : kNever};
  if (shown) return {true, Later(time(to - 1), spec.length + spec.offset)};
  return {false, to < size ? Later(time(to), spec.offset) : kNever};
}

}  // namespace attune
