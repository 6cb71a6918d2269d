// The language's operators on plain values.
#pragma once

#include "event/value.h"
#include "language/expression.h"

namespace attune {

// `a op b`; false if either is null or their types differ.
bool Compares(Expression::Kind op, const Value& a, const Value& b);
// kContains, kStartsWith, kEndsWith, kIContains, kIEquals.
bool TextCompares(Expression::Kind op, const Value& a, const Value& b);
// Whether the list holds a value that equals x.
bool Holds(const Value& list, const Value& x);
// + - * /. Null if an operand is null, the types do not match, the divisor is zero, or the result exceeds a double's
// range.
Value Calculate(Expression::Kind op, const Value& a, const Value& b);
// kNegate, kAbs, kRound, kLog1p, kMin, kMax, kClamp, kScale, kCoalesce.
Value CallFunction(Expression::Kind fn, const Value* args, size_t count);

}  // namespace attune
