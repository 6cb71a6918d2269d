// sequence(…), depth(…) and matches(…), evaluated by trying all pairs of events.
#pragma once

#include "oracle/history.h"

namespace attune::oracle {

// Requires one of these three expressions.
Value OverSequence(const Expression& e, const History& history, Millis t);

}  // namespace attune::oracle
