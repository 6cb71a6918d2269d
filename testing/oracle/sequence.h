// sequence(…), depth(…) and matches(…), tried out pair by pair.
#pragma once

#include "oracle/history.h"

namespace attune::oracle {

// Requires one of these three expressions.
Value OverSequence(const Expression& e, const History& history, Millis t);

}  // namespace attune::oracle
