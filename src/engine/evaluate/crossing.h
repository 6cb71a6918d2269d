// When does a comparison of values that move with time come out differently?
#pragma once

#include <absl/container/inlined_vector.h>

#include "engine/evaluate/moving.h"

namespace attune {

// Finds the first instant at which a predicate over moving operands changes, while nothing else in it does: by interval
// arithmetic and bisection (Moore, Interval Analysis, 1966), on bounds that move along with the values. A stretch of time
// over which the bounds allow but one outcome is skipped whole; where the bounds of two sides cross, only the part around
// the crossing is looked at more closely. The answer is exact to the millisecond, rounding included.
//
// One thing is left out. Of two numbers that move alike, such as `since(a) / 1h - since(b) / 1h` and a constant equal to
// it, rounding errors alone decide which is larger, at each millisecond. The comparison keeps its result there.
class Crossing {
 public:
  // `operands` are the values of the predicate's operands at the evaluator's instant t, and `now` what comes of them.
  Crossing(Evaluator* evaluator, const Node& predicate, const Value* operands, bool now);
  // The predicate is that a time, `value` at t, stays where it is in [low, high).
  Crossing(Evaluator* evaluator, NodeId time, const Value& value, Millis low, Millis high);

  // The predicate compares two amounts.
  Crossing(Evaluator* evaluator, Expression::Kind comparison, const MovingTerm& a, const MovingTerm& b, bool now);

  // The first instant in (t, until) with another outcome, else `until`. After a large amount of work an instant up to
  // which the outcome is certain: looking again there is right, if not as seldom as could be.
  Millis Find(Millis until);

 private:
  enum class Form {
    kAll,     // the first operand compares with each of the others, as `comparisons_` say
    kAny,     // it equals one of the others
    kExists,  // it is not null
    kText,    // a predicate on text
  };
  // Of a stretch of time: what comes out all over it, or else where to look.
  struct Outlook {
    int outcome = -1;   // 0 or 1; -1: not known
    Millis from = 0;    // before this instant and after `to` it will be easily known
    Millis to = 0;
    bool rounding = true;  // nothing but rounding errors decides
  };

  // Plain operands: only the instants at which two of them meet are tried.
  bool FindDirectly(Millis until, Millis* found) const;
  Millis Search(Millis from, Millis to);  // the first change in [from, to], kNever without one
  Outlook Look(Millis from, Millis to) const;
  int Compared(Expression::Kind op, const Motion& a, const Motion& b, Outlook* outlook) const;
  bool OutcomeAt(Millis instant) const;
  Expression::Kind Comparison(size_t operand) const { return form_ == Form::kAny ? Expression::Kind::kEqual : comparisons_[operand - 1]; }

  const Evaluator& evaluator_;
  const Node* const predicate_;  // null: that a time stays where it is
  Form form_ = Form::kAll;
  absl::InlinedVector<MovingTerm, 3> operands_;
  Expression::Kind comparisons_[2];
  const bool now_;
  const Millis t_;
  int work_ = 0;
};

}  // namespace attune
