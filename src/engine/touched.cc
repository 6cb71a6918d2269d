// Marks the conditions that an event may change, according to its selectors' guards.
#include <cmath>

#include "engine/engine.h"
#include "engine/program/guard.h"
#include "engine/program/operators.h"

namespace attune {
namespace {

using WindowKind = Window::Kind;

Millis LaterBy(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

// Tests the guards of one series whose latest entry is the event.
class GuardTest {
 public:
  GuardTest(const Program& program, const Interner& interner, const Series& series, const Session* session, Millis t)
      : program_(program), interner_(interner), series_(series), session_(session), t_(t), from_(series.size()) {}

  // Whether the event may change the outcome of the comparison. Guards of sums must be tested in the order of their
  // bounds.
  bool Finds(const Guard& guard, bool holds) {
    switch (guard.kind) {
      case Guard::Kind::kCount: return IsIn(guard.least, Low(guard)) && !IsIn(guard.least + 1, Low(guard));
      case Guard::Kind::kEnough: return IsIn(guard.least, Low(guard));
      case Guard::Kind::kSum: return SumsUp(guard, Low(guard));
      case Guard::Kind::kValue: return Differs(guard, holds);
    }
    return true;
  }

  // How long a comparison that is settled stays so for certain, including the event. kAlways: unknown.
  Millis Stays(const Guard& guard) {
    switch (guard.kind) {
      case Guard::Kind::kCount: return guard.least <= series_.size() ? LeavesAt(guard, series_.size() - guard.least) : kAlways;
      case Guard::Kind::kSum: return SumsUp(guard, kAlways) && sum_ >= guard.bound + guard.doubt ? LeavesAt(guard, from_) : kAlways;
      case Guard::Kind::kValue: return guard.latest ? LeavesAt(guard, series_.size() - 1) : kAlways;
      case Guard::Kind::kEnough: break;
    }
    return kAlways;
  }

 private:
  static constexpr size_t kFew = 64;  // a plain sum of this many terms has an error below the guard's `doubt`

  Millis Low(const Guard& guard) const {
    if (guard.window == WindowKind::kSliding) return t_ - guard.length;
    return guard.window == WindowKind::kSession ? session_->first - 1 : kAlways;
  }
  Millis LeavesAt(const Guard& guard, size_t i) const {
    if (guard.window == WindowKind::kSliding) return LaterBy(series_.time(i), guard.length);
    return guard.window == WindowKind::kSession ? LaterBy(t_, program_.sessions.gap + 1) : kAlways;
  }
  // Whether the n-th latest event is later than `low`.
  bool IsIn(size_t n, Millis low) const { return n <= series_.size() && series_.time(series_.size() - n) > low; }

  // One walk from the latest value back serves all bounds, since greater bounds are reached further back.
  bool SumsUp(const Guard& guard, Millis low) {
    if (series_.has_negative()) return true;
    const double enough = guard.bound - guard.doubt;
    while (sum_ < enough && from_ > 0 && series_.time(from_ - 1) > low) {
      if (series_.size() - from_ == kFew) return true;
      --from_;
      if (series_.value(from_).is_number()) sum_ += series_.value(from_).number();
    }
    return sum_ >= enough && series_.time(from_) > low;
  }

  bool Differs(const Guard& guard, bool holds) const {
    const Value value = series_.value(series_.size() - 1).Load(interner_);
    if (guard.numeric && value.type() != Type::kNumber) return true;
    if (guard.doubt > 0 && std::abs(value.number() - guard.bound) <= guard.doubt) return true;
    const Node& node = program_.nodes[guard.comparison];
    const bool compares = Compares(node.kind, value, program_.nodes[program_.children[node.first + 1]].literal);
    return compares != (holds != guard.negated);
  }

  const Program& program_;
  const Interner& interner_;
  const Series& series_;
  const Session* session_;
  const Millis t_;
  size_t from_;     // of the values summed up
  double sum_ = 0;
};

}  // namespace

// Requires an event in order for which AddToSelector returned true.
void Engine::MarkTouched(UserState* user, uint32_t selector, const Record& record) {
  const Listeners& listeners = program_->listeners_of_selector[selector];
  dirty_.AddUnsettled(listeners.unguarded, listeners.rising, listeners.falling, user->holding());
  for (const Wait& wait : listeners.waits) {
    if (user->Holds(wait.condition)) {
      dirty_.Add(wait.condition);
    } else {
      user->SetDue(wait.condition, LaterBy(record.time, wait.length));
    }
  }
  for (const Listeners::OfSeries& of : listeners.series) {
    if (!TakesIn(program_->series[of.series], record)) continue;
    const Series series = user->FindSeries(of.series);
    GuardTest test(*program_, interner_, series, user->sessions.latest(), record.time);
    const uint64_t* const holding = user->holding().data();
    for (const Guard& guard : of.guards) {
      const bool holds = holding[guard.condition / 64] >> guard.condition % 64 & 1;
      if (!guard.settled[holds] && test.Finds(guard, holds)) {
        dirty_.Add(guard.condition);
      } else if (guard.alone && holds == guard.when_reached) {
        // Otherwise a timer would find the condition postponed each time.
        const Millis stays = test.Stays(guard);
        if (stays != kAlways) user->Postpone(guard.condition, stays);
      }
    }
  }
}

}  // namespace attune
