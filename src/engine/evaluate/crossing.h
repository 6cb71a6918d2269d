// Finds when a comparison of values that move with time changes its outcome.
#pragma once

#include <absl/container/inlined_vector.h>

#include "engine/evaluate/moving.h"

namespace attune {

// Finds the first instant at which a predicate over moving operands changes, while nothing else in it changes. Uses
// interval arithmetic and bisection (Moore, Interval Analysis, 1966) on bounds that move with the values. A stretch of
// time over which the bounds allow only one outcome is skipped. If the bounds of the two sides cross, only the part
// around the crossing is examined more closely. The answer is exact to the millisecond, including rounding.
//
// There is one exception. If two numbers move alike, such as `since(a) / 1h - since(b) / 1h` and an equal constant,
// only rounding errors decide which is larger at each millisecond. The comparison keeps its result there.
class Crossing {
 public:
  // `operands` are the values of the predicate's operands at the evaluator's instant t. `now` is the outcome for them.
  Crossing(Evaluator* evaluator, const Node& predicate, const Value* operands, bool now);
  // The predicate is that a time, which is `value` at t, stays inside [low, high) or stays outside.
  Crossing(Evaluator* evaluator, NodeId time, const Value& value, Millis low, Millis high);

  // The predicate compares two amounts.
  Crossing(Evaluator* evaluator, Expression::Kind comparison, const MovingTerm& a, const MovingTerm& b, bool now);

  // Returns the first instant in (t, until) with another outcome, else `until`. After a large amount of work it returns
  // an instant up to which the outcome is certain; the caller may search again from there.
  Millis Find(Millis until);

 private:
  enum class Form {
    kAll,     // the first operand compares with each of the others, as in `comparisons_`
    kAny,     // it equals one of the others
    kExists,  // it is not null
    kText,    // a text predicate
  };
  // The outcome over a whole stretch of time, or the part of the stretch to examine.
  struct Outlook {
    int outcome = -1;   // 0 or 1; -1: unknown
    Millis from = 0;    // before this instant and after `to` the outcome is easy to find
    Millis to = 0;
    bool rounding = true;  // only rounding errors decide
  };

  // For plain operands: tests only the instants at which two of them meet.
  bool FindDirectly(Millis until, Millis* found) const;
  Millis Search(Millis from, Millis to);  // returns the first change in [from, to]; kNever if there is none
  Outlook Look(Millis from, Millis to) const;
  int Compared(Expression::Kind op, const Motion& a, const Motion& b, Outlook* outlook) const;
  bool OutcomeAt(Millis instant) const;
  Expression::Kind Comparison(size_t operand) const { return form_ == Form::kAny ? Expression::Kind::kEqual : comparisons_[operand - 1]; }

  const Evaluator& evaluator_;
  const Node* const predicate_;  // null: that a time stays in or out of a range
  Form form_ = Form::kAll;
  absl::InlinedVector<MovingTerm, 3> operands_;
  Expression::Kind comparisons_[2];
  const bool now_;
  const Millis t_;
  int work_ = 0;
};

}  // namespace attune
