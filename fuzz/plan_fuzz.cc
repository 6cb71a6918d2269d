// Plans and expressions: bytes that need not be YAML, nor the language.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plan/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const attune::LoadedPlan loaded = attune::ParsePlan(text, "fuzz.yaml");
  if (loaded.plan) {
    for (const attune::Segment& segment : loaded.plan->segments) {
      // What is written reads again.
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
