#include "language/expression.h"

namespace attune {
namespace {

Window CloneWindow(const Window& window) {
  return {window.kind, window.length, window.offset, window.from, window.to, window.anchor ? Clone(*window.anchor) : nullptr};
}

}  // namespace

ExpressionPtr Clone(const Expression& e) {
  auto clone = std::make_unique<Expression>();
  clone->kind = e.kind;
  clone->location = e.location;
  clone->type = e.type;
  clone->dynamic = e.dynamic;
  clone->text = e.text;
  clone->literal = e.literal.type() == Type::kString ? Value::String(clone->text) : e.literal;
  clone->aggregate = e.aggregate;
  clone->number = e.number;
  for (const ExpressionPtr& arg : e.args) clone->args.push_back(Clone(*arg));
  clone->path = e.path;
  clone->selector = Clone(e.selector);
  clone->window = CloneWindow(e.window);
  for (const SequenceStep& step : e.steps) {
    clone->steps.push_back({Clone(step.selector), step.negated, step.immediate, step.within});
  }
  clone->by = e.by;
  return clone;
}

Selector Clone(const Selector& selector) {
  Selector clone{selector.names, selector.filter ? Clone(*selector.filter) : nullptr, {}};
  for (const Selector& alternative : selector.alternatives) clone.alternatives.push_back(Clone(alternative));
  return clone;
}

void ForEach(const Expression& expression, const std::function<void(const Expression&)>& fn) {
  fn(expression);
  for (const ExpressionPtr& arg : expression.args) ForEach(*arg, fn);
  if (expression.window.anchor) ForEach(*expression.window.anchor, fn);
}

}  // namespace attune
