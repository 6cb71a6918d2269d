#include "engine/guard.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/engine.h"
#include "engine/operators.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;

constexpr double kMostCounted = 1e6;

Millis LaterBy(Millis t, Millis by) { return t > kNever - by ? kNever : t + by; }

// Whether a summary is one of its values, so that it compares as they do when all of them compare alike.
bool IsOneOfThem(Kind fn) { return fn == Kind::kFirst || fn == Kind::kLast || fn == Kind::kMode; }
// Whether a summary of numbers lies between them.
bool LiesBetween(Kind fn) {
  return fn == Kind::kAvg || fn == Kind::kAggregateMin || fn == Kind::kAggregateMax || fn == Kind::kQuantile;
}

bool ComparesOrder(Kind op) { return op >= Kind::kLess && op <= Kind::kGreaterEqual; }

// Of a comparison with a literal: of an aggregate over a window that ends at t, in which an event in order is the latest.
const AggregateSpec* LatestIn(const Program& program, const Node& node) {
  if (node.kind < Kind::kEqual || node.kind > Kind::kGreaterEqual) return nullptr;
  const Node& left = program.nodes[program.children[node.first]];
  const Node& right = program.nodes[program.children[node.first + 1]];
  if (left.aggregate == kNone || right.kind != Kind::kLiteral) return nullptr;
  const AggregateSpec& spec = program.aggregates[left.aggregate];
  const bool ends_at_t = spec.anchor == kNone && spec.offset == 0 && spec.window != WindowKind::kRange;
  return ends_at_t ? &spec : nullptr;
}

std::optional<Guard> ReachGuard(const Reach& reach) {
  Guard guard;
  guard.window = reach.window;
  guard.length = reach.length;
  guard.when_reached = reach.when_reached;
  if (reach.fn == Kind::kSum) {
    if (reach.bound <= 0) return std::nullopt;
    guard.kind = Guard::Kind::kSum;
    guard.bound = reach.bound;
    guard.doubt = reach.bound * 1e-12;
    return guard;
  }
  if (!(reach.least >= 1 && reach.least <= kMostCounted)) return std::nullopt;
  const bool known = reach.window == WindowKind::kSliding || reach.window == WindowKind::kSession;
  guard.kind = reach.fn == Kind::kCount && known ? Guard::Kind::kCount : Guard::Kind::kEnough;
  guard.least = static_cast<uint32_t>(reach.least);
  return guard;
}

}  // namespace

std::optional<Guard> GuardOf(const Program& program, uint32_t comparison, bool alone) {
  const Node& node = program.nodes[comparison];
  if (node.shortcut == Shortcut::kReaches) {
    auto guard = ReachGuard(program.reaches[node.index]);
    if (guard) guard->alone = alone;
    return guard;
  }
  const AggregateSpec* spec = LatestIn(program, node);
  if (!alone || !spec || spec->series == kNone) return std::nullopt;
  const Value& literal = program.nodes[program.children[node.first + 1]].literal;
  const bool between = LiesBetween(spec->fn) && ComparesOrder(node.kind) && literal.type() == Type::kNumber;
  if (!between && !IsOneOfThem(spec->fn)) return std::nullopt;
  Guard guard;
  guard.kind = Guard::Kind::kValue;
  guard.window = spec->window;
  guard.length = spec->length;
  guard.alone = true;
  guard.latest = spec->fn == Kind::kLast;
  guard.comparison = comparison;
  guard.numeric = between;
  if (spec->fn == Kind::kAvg) {
    // More than the roundings of so many terms come to as a plan may keep.
    guard.bound = literal.number();
    guard.doubt = std::abs(guard.bound) * 1e-9;
  }
  return guard;
}

std::optional<Millis> WaitOf(const Program& program, uint32_t root, uint32_t selector) {
  const Node& node = program.nodes[root];
  std::optional<Millis> longest;
  if (node.kind == Kind::kAnd) {
    for (uint32_t i = 0; i < node.count; ++i) longest = std::max(longest, WaitOf(program, program.children[node.first + i], selector));
    return longest;
  }
  const AggregateSpec* spec = LatestIn(program, node);
  if (!spec || spec->fn != Kind::kSince || (node.kind != Kind::kGreaterEqual && node.kind != Kind::kGreater)) return longest;
  const uint32_t of = spec->series != kNone ? program.series[spec->series].selector : program.totals[spec->total].selector;
  const Value& literal = program.nodes[program.children[node.first + 1]].literal;
  if (of != selector || literal.type() != Type::kDuration || literal.duration() <= 0) return longest;
  return literal.duration();
}

void Listeners::Add(uint32_t index, const Guard& guard) {
  auto of = std::find_if(series.begin(), series.end(), [&](const OfSeries& one) { return one.series == index; });
  if (of == series.end()) of = series.insert(series.end(), {index, {}});
  of->guards.push_back(guard);
}

void Listeners::Finish() {
  for (const Wait& wait : waits) unguarded.Remove(wait.condition);
  for (OfSeries& of : series) {
    std::erase_if(of.guards, [&](const Guard& guard) {
      const bool waits_anyway = std::any_of(waits.begin(), waits.end(), [&](const Wait& wait) { return wait.condition == guard.condition; });
      return waits_anyway || unguarded.Has(guard.condition);
    });
    for (Guard& guard : of.guards) {
      guard.settled[0] = falling.Has(guard.condition);
      guard.settled[1] = rising.Has(guard.condition);
    }
    std::stable_sort(of.guards.begin(), of.guards.end(), [](const Guard& a, const Guard& b) {
      return std::tie(a.kind, a.bound) < std::tie(b.kind, b.bound);
    });
  }
  std::erase_if(series, [](const OfSeries& of) { return of.guards.empty(); });
}

// --- at an event ---

namespace {

// Tests the guards of one series, whose latest entry is the event's.
class GuardTest {
 public:
  GuardTest(const Program& program, const Interner& interner, const Series& series, const Session* session, Millis t)
      : program_(program), interner_(interner), series_(series), session_(session), t_(t), from_(series.size()) {}

  // Whether the event may change how the comparison comes out. Sums are to be asked for in the order of their bounds.
  bool Finds(const Guard& guard, bool holds) {
    switch (guard.kind) {
      case Guard::Kind::kCount: return IsIn(guard.least, Low(guard)) && !IsIn(guard.least + 1, Low(guard));
      case Guard::Kind::kEnough: return IsIn(guard.least, Low(guard));
      case Guard::Kind::kSum: return SumsUp(guard, Low(guard));
      case Guard::Kind::kValue: return Differs(guard, holds);
    }
    return true;
  }

  // Of a comparison that stays as it is because enough is in the window: how long it does so for certain, with the event.
  // kAlways: that is not known.
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
  static constexpr size_t kFew = 64;  // plain sums of so many terms are off by less than the doubt

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

  // One walk from the latest value back serves all bounds: where one is first reached, the greater ones are not reached
  // before.
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

// Of an event in order that was nothing but one more to all that is kept of its selector.
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
        // Timers of their own would find it put off one by one.
        const Millis stays = test.Stays(guard);
        if (stays != kAlways) user->PutOff(guard.condition, stays);
      }
    }
  }
}

}  // namespace attune
