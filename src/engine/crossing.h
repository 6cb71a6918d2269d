// When does a comparison of values that move with time come out differently?
#pragma once

#include "engine/evaluate.h"

namespace attune {

// Finds the first instant at which a predicate over moving operands (since and age, and arithmetic on them) changes,
// while nothing else in it does. Lines are solved; all else is searched by interval arithmetic and bisection (Moore,
// Interval Analysis, 1966): a stretch of time over which the ranges of both sides allow but one outcome is skipped whole.
class Crossing {
 public:
  // `now` is the predicate's value at t. The caller's evaluator is used at other instants and put back to t.
  Crossing(Evaluator* evaluator, const Node& predicate, bool now) : evaluator_(*evaluator), predicate_(&predicate), now_(now), t_(evaluator->t_) {}
  // The predicate is that a moving time, now in [low, high), stays there.
  Crossing(Evaluator* evaluator, NodeId time, Millis low, Millis high)
      : evaluator_(*evaluator), time_(time), low_(low), high_(high), now_(true), t_(evaluator->t_) {}

  // The first instant in (t, until) with another outcome, else `until`. After a large amount of work an instant up to
  // which the outcome is certain: looking again there is right, if not as seldom as could be.
  Millis Find(Millis until);

 private:
  struct Line {
    bool straight = false;
    double at_t = 0;
    double slope = 0;  // per millisecond
  };
  struct Span {
    double low = 0;
    double high = 0;
    bool known = false;  // the value is a number, time or duration in [low, high] throughout
    bool null = false;   // the value is null throughout
  };

  Line LineOf(NodeId id);
  Span SpanOf(NodeId id, Millis from, Millis to);
  Span SpanOfOperation(const Node& node, Millis from, Millis to);
  // 0 or 1: the outcome all over [from, to]; -1: not known.
  int Outcome(Millis from, Millis to);
  bool OutcomeAt(Millis instant);
  Millis Search(Millis from, Millis to);  // the first change in [from, to], kNever without one
  Millis FindOnLine(const Line& left, const Line& right, Millis until);
  Value Constant(NodeId id);

  Evaluator& evaluator_;
  const Node* const predicate_ = nullptr;  // null: that time_ lies in [low_, high_)
  const NodeId time_ = kNone;
  const Millis low_ = 0;
  const Millis high_ = 0;
  const bool now_;
  const Millis t_;
  int work_ = 0;
};

}  // namespace attune
