// The answer to an expression with mistakes.
#pragma once

#include <vector>

#include "http/message.h"
#include "plan/plan.h"

namespace attune {

// 400 with each mistake's line and column; warnings are left out. Requires a mistake.
Response ExpressionProblem(const std::vector<struct Problem>& problems);

}  // namespace attune
