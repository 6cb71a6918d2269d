// Bounds of an expression's value over a stretch of time without records. A bound may be wide but is never wrong. The
// timeline halves a stretch until each piece is decided. So it finds every instant at which a membership changes
// without an event, without evaluating every millisecond.
#pragma once

#include "oracle/naive.h"

namespace attune::oracle {

struct Bounds {
  enum class Kind {
    kExact,     // `low` throughout (a list: some list, the same throughout)
    kMoving,    // a time or duration that is low + slope * (t - from) throughout
    kBetween,   // never null; of the type of `low`, and low <= value <= high throughout
    kUnknown,
  };
  Kind kind = Kind::kUnknown;
  Value low;
  Value high;
  int64_t slope = 0;

  bool IsExact() const { return kind == Kind::kExact; }
};

// The bounds over every t in [from, to]. Unknown if a record lies in (from, to]; later records are not read.
Bounds BoundsOver(const Expression& expression, const History& history, Millis from, Millis to);

}  // namespace attune::oracle
