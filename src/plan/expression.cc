#include "plan/expression.h"

namespace attune {

void ForEach(const Expression& expression, const std::function<void(const Expression&)>& fn) {
  fn(expression);
  for (const ExpressionPtr& arg : expression.args) ForEach(*arg, fn);
  if (expression.window.anchor) ForEach(*expression.window.anchor, fn);
}

}  // namespace attune
