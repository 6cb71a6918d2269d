// Values that move with time: since, age, and what is computed from them.
#pragma once

#include <absl/container/inlined_vector.h>

#include "engine/evaluate/evaluate.h"

namespace attune {

// What is known of a value over a stretch of time [from, to].
struct Motion {
  enum class Kind {
    kFixed,    // `value` throughout
    kBetween,  // of `type` (number, time or duration), never null, within the bounds below
    kUnknown,
  };

  Kind kind = Kind::kUnknown;
  Value value;
  Type type = Type::kNull;
  // The value is in [low, high]. If the value is monotonic, both ends are reached.
  double low = 0;
  double high = 0;
  // At every instant the value is also in slope * (instant - from) + [base_low, base_high], including rounding. So
  // values that move alike stay comparable over any stretch.
  double slope = 0;  // per millisecond
  double base_low = 0;
  double base_high = 0;
  // A straight line apart from rounding. `gross` is the sum of the absolute slopes that it was computed from.
  bool straight = false;
  double gross = 0;

  bool IsFixedNull() const { return kind == Kind::kFixed && value.is_null(); }
};

// An expression with its values at the evaluator's instant t, laid out so that it can be evaluated at many other
// instants at which only time differs.
class MovingTerm {
 public:
  // `known` is the node's value at t.
  MovingTerm(Evaluator* evaluator, NodeId node, const Value& known) : t_(evaluator->t_) { Add(evaluator, node, &known); }
  // A constant value.
  explicit MovingTerm(const Value& constant) { parts_.push_back({nullptr, constant, false, 1}); }

  Value At(Millis instant) const { return ValueOf(0, instant); }
  Motion Over(Millis from, Millis to) const { return MotionOf(0, from, to); }

  // Returns true for a constant, or a since or age alone. Sets its value at t and its rise per millisecond.
  bool IsPlain(Value* at_t, Millis* slope) const;

 private:
  // In prefix order: an operation, then its operands.
  struct Part {
    const Node* operation;  // null: a value
    Value value;            // at t
    bool rises;             // a since or age: rises by one each millisecond
    uint32_t size;          // number of parts, including those of the operands
  };

  void Add(Evaluator* evaluator, NodeId node, const Value* known);
  Value ValueOf(uint32_t part, Millis instant) const;
  Motion MotionOf(uint32_t part, Millis from, Millis to) const;

  absl::InlinedVector<Part, 2> parts_;
  Millis t_ = 0;
};

}  // namespace attune
