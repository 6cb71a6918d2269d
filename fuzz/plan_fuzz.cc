// Plans and expressions: the bytes need not be valid YAML or valid expressions.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plan/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const attune::LoadedPlan loaded = attune::ParsePlan(text, "fuzz.yaml");
  if (loaded.plan) {
    for (const attune::Segment& segment : loaded.plan->segments) {
      // The text of a parsed expression parses again.
      if (!attune::ParseExpression(attune::ToText(*segment.when), *loaded.plan).expression) __builtin_trap();
    }
  }
  static const attune::LoadedPlan empty = attune::ParsePlan("segments: {a: {when: \"true\"}}");
  const attune::ParsedExpression parsed = attune::ParseExpression(text, *empty.plan);
  if (parsed.expression && !attune::ParseExpression(attune::ToText(*parsed.expression), *empty.plan).expression) {
    __builtin_trap();
  }
  return 0;
}
