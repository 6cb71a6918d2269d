// Sequences: their value in a window, and how long it lasts.
#include <algorithm>

#include "engine/evaluate/crossing.h"
#include "engine/evaluate/evaluate.h"
#include "engine/evaluate/instant.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

}  // namespace

Timed Evaluator::FromSequence(const AggregateSpec& spec) {
  const auto value = [&](double x) { return spec.fn == Kind::kSequence ? Value::Bool(x > 0) : Value::Number(x); };
  const Bounds bounds = BoundsOf(spec);
  const SequenceState* state = spec.outer ? outer_->sequences() : user_->sequences();
  if (bounds.none || !state) return {value(0), bounds.until};
  // A sequence over a range has only the events of the range in its state.
  const bool range = spec.window == WindowKind::kRange;
  const Millis low = range ? kAlways : bounds.low;
  const Millis high = range ? kNever : bounds.high;
  const SequenceReading reading = spec.outer ? state->ReadRestricted(outer_program_->sequences, spec.sequence, low, high, restriction_)
                                             : state->Read(program_.sequences, spec.sequence, low, high);
  if (reading.incomplete) incomplete_ = true;
  return {value(reading.value), SequenceStays(spec, bounds, reading)};
}

Millis Evaluator::SequenceStays(const AggregateSpec& spec, const Bounds& bounds, const SequenceReading& reading) {
  if (bounds.sliding) {
    const Millis left = Later(reading.low_to, spec.length + spec.offset);
    return spec.offset == 0 ? left : std::min(left, Later(reading.high_to, spec.offset));
  }
  if (spec.anchor == kNone) return reading.value > 0 ? bounds.until : kNever;
  if (bounds.low == kAlways || !At(spec.anchor).moving) return bounds.until;
  Millis low = reading.low_from;
  Millis high = reading.low_to;
  if (bounds.high != kNever) {
    low = std::max(low, Earlier(reading.high_from, spec.length));
    high = std::min(high, Earlier(reading.high_to, spec.length));
  }
  return Crossing(this, spec.anchor, Value::Time(bounds.low), low, high).Find(bounds.until);
}

}  // namespace attune
