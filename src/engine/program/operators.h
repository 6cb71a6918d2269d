// The language's operators on plain values.
#pragma once

#include "event/value.h"
#include "language/expression.h"

namespace attune {

// `a op b`: false when either is null or their types differ.
bool Compares(Expression::Kind op, const Value& a, const Value& b);
// kContains, kStartsWith, kEndsWith, kIContains, kIEquals.
bool TextCompares(Expression::Kind op, const Value& a, const Value& b);
// True when the list holds a value that equals x.
bool Holds(const Value& list, const Value& x);
// + - * /: null with null, between types that do not go together, for a division by zero and beyond a double's range.
Value Calculate(Expression::Kind op, const Value& a, const Value& b);
// kNegate, kAbs, kRound, kLog1p, kMin, kMax, kClamp, kScale, kCoalesce.
Value CallFunction(Expression::Kind fn, const Value* args, size_t count);

}  // namespace attune
