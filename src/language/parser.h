// Parses text of the behaviour language to an Expression, and finds every mistake that text and names alone reveal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "language/event_spec.h"
#include "language/expression.h"
#include "language/zone.h"

namespace attune {

// A static type; `dynamic` when only the data determines it.
struct StaticType {
  Type type = Type::kNull;
  bool dynamic = false;
  bool keyed = false;  // of a metric: its definition holds some(…) or top(…)
};

// The names that an expression may use.
struct Names {
  const EventSpecs* specs = nullptr;      // of the events that the plan declares
  bool refuse_unknown_events = false;
  std::vector<std::string> events;        // as normalised
  std::vector<std::string> metrics;
  std::vector<std::string> segments;
  // The type of an existing metric; nullopt when its definition is circular or invalid.
  std::function<std::optional<StaticType>(const std::string& name)> metric_type;
};

// A mistake at a byte offset of the text.
struct Mistake {
  size_t offset;
  std::string message;
  bool warning = false;
};

// Returns the parsed expression, or null when any mistake is more than a warning. Locations hold only the byte offset,
// in `column`; the plan loader converts it to a position in the file.
ExpressionPtr Parse(std::string_view text, const Names& names, const Zone& zone, std::vector<Mistake>* mistakes);

// As Parse, for a trigger's `on`: a selector without a window.
std::optional<Selector> ParseSelector(std::string_view text, const Names& names, const Zone& zone,
                                      std::vector<Mistake>* mistakes);

}  // namespace attune
