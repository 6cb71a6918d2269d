#include "oracle/sequence.h"

#include <algorithm>
#include <vector>

#include "oracle/window.h"

namespace attune::oracle {
namespace {

// A step that must match, with the `not` steps before it.
struct Step {
  const SequenceStep* step;
  std::vector<const SequenceStep*> forbidden;
};

std::vector<Step> StepsOf(const Expression& e) {
  std::vector<Step> steps;
  std::vector<const SequenceStep*> forbidden;
  for (const SequenceStep& step : e.steps) {
    if (step.negated) {
      forbidden.push_back(&step);
    } else {
      steps.push_back({&step, std::exchange(forbidden, {})});
    }
  }
  return steps;
}

// The events in a window from one of them on. They are a part of the history without gaps, so the event after another
// is the user's very next one.
class Run {
 public:
  Run(const Expression& e, const History& history, Entries events)
      : e_(e), history_(history), steps_(StepsOf(e)), events_(std::move(events)) {}

  // Whether some choice of events matches the first `step + 1` steps and ends with event i.
  std::vector<std::vector<bool>> Reached() const {
    std::vector<std::vector<bool>> reached;
    for (size_t step = 0; step < steps_.size(); ++step) {
      reached.emplace_back(events_.size(), false);
      for (size_t i = 0; i < events_.size(); ++i) {
        if (!Selects(steps_[step].step->selector, *events_[i], history_) || !HasKey(i)) continue;
        if (step == 0) reached[step][i] = true;
        for (size_t before = 0; step > 0 && before < i; ++before) {
          if (reached[step - 1][before] && Follows(steps_[step], before, i))
            reached[step][i] = true;
        }
      }
    }
    return reached;
  }

 private:
  bool HasKey(size_t i) const {
    if (e_.by.keys.empty()) return true;
    const Value value = PropertyOf(*events_[i], e_.by);
    return !value.is_null() && value.type() != Type::kList;
  }

  bool SameKey(size_t a, size_t b) const {
    return e_.by.keys.empty() ||
           Identical(PropertyOf(*events_[a], e_.by), PropertyOf(*events_[b], e_.by));
  }

  bool Follows(const Step& step, size_t before, size_t i) const {
    if (step.step->immediate && i != before + 1) return false;
    const Millis apart = events_[i]->time() - events_[before]->time();
    if (step.step->within != kNever && apart > step.step->within) return false;
    if (!SameKey(before, i)) return false;
    for (size_t between = before + 1; between < i; ++between) {
      for (const SequenceStep* forbidden : step.forbidden) {
        if (Selects(forbidden->selector, *events_[between], history_) && SameKey(between, i))
          return false;
      }
    }
    return true;
  }

  const Expression& e_;
  const History& history_;
  std::vector<Step> steps_;
  Entries events_;
};

}  // namespace

Value OverSequence(const Expression& e, const History& history, Millis t) {
  Entries events = EventsIn(e.window, history, t);
  const auto reached = Run(e, history, events).Reached();
  const auto any = [](const std::vector<bool>& ends) {
    return std::find(ends.begin(), ends.end(), true) != ends.end();
  };
  if (e.kind == Expression::Kind::kSequence) return Value::Bool(any(reached.back()));
  if (e.kind == Expression::Kind::kSequenceDepth) {
    return Value::Number(static_cast<double>(std::count_if(reached.begin(), reached.end(), any)));
  }
  int64_t matches = 0;
  for (;; ++matches) {
    const auto ends = Run(e, history, events).Reached().back();
    const auto first = std::find(ends.begin(), ends.end(), true);
    if (first == ends.end()) return Value::Number(static_cast<double>(matches));
    events.erase(events.begin(), events.begin() + (first - ends.begin()) + 1);
  }
}

}  // namespace attune::oracle
