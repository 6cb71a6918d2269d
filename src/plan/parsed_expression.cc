// Expressions, conditions and selectors parsed against a loaded plan.
#include <utility>

#include "language/parser.h"
#include "plan/checks.h"
#include "plan/plan.h"

namespace attune {
namespace {

Names NamesOf(const Plan& plan) {
  Names names;
  names.specs = &plan.events;
  names.refuse_unknown_events = plan.refuse_unknown_events;
  for (const auto& [name, spec] : plan.events) names.events.push_back(name);
  for (const Metric& metric : plan.metrics) names.metrics.push_back(metric.name);
  for (const Segment& segment : plan.segments) names.segments.push_back(segment.name);
  names.metric_type = [&plan](const std::string& name) -> std::optional<StaticType> {
    const Metric* metric = plan.FindMetric(name);
    if (!metric) return std::nullopt;
    return StaticType{metric->value->type, metric->value->dynamic, HoldsKeys(*metric->value, plan)};
  };
  return names;
}

Problem At(std::string_view text, const std::string& file, const Mistake& mistake) {
  Problem problem{file, 1, 1, mistake.message, mistake.warning};
  for (const char c : text.substr(0, mistake.offset)) {
    if (c == '\n') {
      ++problem.line;
      problem.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {  // a character of UTF-8 begins
      ++problem.column;
    }
  }
  return problem;
}

}  // namespace

ParsedExpression ParseExpression(std::string_view text, const Plan& plan) {
  std::vector<Mistake> mistakes;
  ParsedExpression parsed;
  parsed.expression = Parse(text, NamesOf(plan), *Zone::Find(plan.timezone), &mistakes);
  for (const Mistake& mistake : mistakes) parsed.problems.push_back(At(text, "expression", mistake));
  return parsed;
}

ParsedExpression ParseCondition(std::string_view text, const Plan& plan) {
  ParsedExpression parsed = ParseExpression(text, plan);
  const Expression* e = parsed.expression.get();
  if (e && !e->dynamic && e->type != Type::kBool) {
    parsed.problems.push_back(At(text, "expression", {0, "expected a condition, found " + ToText(*e) + ", a " + std::string(TypeName(e->type))}));
    parsed.expression.reset();
  }
  return parsed;
}

ParsedSelector ParseSelector(std::string_view text, const Plan& plan) {
  std::vector<Mistake> mistakes;
  ParsedSelector parsed;
  parsed.selector = ParseSelector(text, NamesOf(plan), *Zone::Find(plan.timezone), &mistakes);
  for (const Mistake& mistake : mistakes) parsed.problems.push_back(At(text, "selector", mistake));
  return parsed;
}

}  // namespace attune
