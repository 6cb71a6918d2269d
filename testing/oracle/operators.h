// The language's operators and functions on plain values.
#pragma once

#include <vector>

#include "event/value.h"
#include "language/expression.h"

namespace attune::oracle {

// The value of an operation on its operands: comparisons, text, arithmetic and functions, without and, or and not.
Value Operator(const Expression& e, const std::vector<Value>& args);

// `+ - * /`, min, max and the comparisons, of two values.
Value Arithmetic(Expression::Kind kind, const Value& a, const Value& b);
bool Compare(Expression::Kind kind, const Value& a, const Value& b);

}  // namespace attune::oracle
