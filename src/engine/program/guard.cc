#include "engine/program/guard.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "engine/program/program.h"

namespace attune {
namespace {

using Kind = Expression::Kind;
using WindowKind = Window::Kind;
using Method = Aggregate::Method;
using Lies = Aggregate::Lies;

constexpr double kMostCounted = 1e6;

bool ComparesOrder(Kind op) { return op >= Kind::kLess && op <= Kind::kGreaterEqual; }

// Returns the left side of a comparison with a literal if its window ends at t, so that an event in order is the latest
// in it. Otherwise returns null.
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
  if (reach.method == Method::kSum) {
    if (reach.bound <= 0) return std::nullopt;
    guard.kind = Guard::Kind::kSum;
    guard.bound = reach.bound;
    guard.doubt = reach.bound * 1e-12;
    return guard;
  }
  if (!(reach.least >= 1 && reach.least <= kMostCounted)) return std::nullopt;
  const bool known = reach.window == WindowKind::kSliding || reach.window == WindowKind::kSession;
  guard.kind = reach.method == Method::kCount && known ? Guard::Kind::kCount : Guard::Kind::kEnough;
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
  const Lies lies = spec->aggregate->lies;
  const bool between = lies == Lies::kBetween && ComparesOrder(node.kind) && literal.type() == Type::kNumber;
  if (!between && lies != Lies::kAmong) return std::nullopt;
  Guard guard;
  guard.kind = Guard::Kind::kValue;
  guard.window = spec->window;
  guard.length = spec->length;
  guard.alone = true;
  guard.latest = spec->aggregate->latest_decides;
  guard.comparison = comparison;
  guard.numeric = between;
  if (spec->method == Method::kAverage) {
    // Greater than the rounding errors of the largest number of terms that a plan may keep.
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
  const bool since = spec && spec->aggregate && spec->aggregate->moves && spec->aggregate->latest_decides;
  if (!since || (node.kind != Kind::kGreaterEqual && node.kind != Kind::kGreater)) return longest;
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

}  // namespace attune
