#include "analysis/cut.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace attune {
namespace {

std::optional<double> Share(uint64_t part, uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Confusion Judge(std::span<const Observation> observations, const Cut& cut) {
  Confusion c;
  for (const Observation& o : observations) {
    const bool in = cut.Selects(o.value);  // every comparison with NaN is false
    ++(in ? (o.reached ? c.reached_in : c.missed_in) : (o.reached ? c.reached_out : c.missed_out));
  }
  return c;
}

double YoudenJ(const Confusion& c) {
  ATTUNE_CHECK(c.reached() > 0 && c.missed() > 0, "J needs users who reached the goal and users who did not");
  return static_cast<double>(c.reached_in) / static_cast<double>(c.reached()) -
         static_cast<double>(c.missed_in) / static_cast<double>(c.missed());
}

Interval YoudenInterval(const Confusion& c) { return DifferenceInterval(c.reached_in, c.reached(), c.missed_in, c.missed()); }

std::optional<double> Precision(const Confusion& c) { return Share(c.reached_in, c.in()); }
std::optional<double> Recall(const Confusion& c) { return Share(c.reached_in, c.reached()); }

std::optional<double> Lift(const Confusion& c) {
  const auto precision = Precision(c);
  if (!precision || c.reached() == 0) return std::nullopt;
  return *precision / *Share(c.reached(), c.all());
}

std::optional<Interval> LiftInterval(const Confusion& c) {
  if (c.reached_in == 0) return std::nullopt;
  const auto a = static_cast<double>(c.reached_in);
  const auto i = static_cast<double>(c.in());
  const auto r = static_cast<double>(c.reached());
  const auto n = static_cast<double>(c.all());
  const double variance = 1 / a - 1 / i - 1 / r + 2 * a / (i * r) - 1 / n;
  const double spread = kNormal95 * std::sqrt(std::max(variance, 0.0));
  return Interval{*Lift(c) * std::exp(-spread), *Lift(c) * std::exp(spread)};
}

std::optional<Cut> BestCut(std::span<const Observation> observations) {
  std::vector<Observation> sorted;
  int64_t reached = 0;
  for (const Observation& o : observations) {
    reached += o.reached;
    if (!std::isnan(o.value)) sorted.push_back(o);
  }
  const int64_t missed = static_cast<int64_t>(observations.size()) - reached;
  if (reached == 0 || missed == 0 || sorted.empty()) return std::nullopt;
  std::sort(sorted.begin(), sorted.end(), [](const Observation& a, const Observation& b) { return a.value < b.value; });
  if (sorted.front().value == sorted.back().value) return std::nullopt;

  // J times reached times missed is an integer, so equal cuts compare exactly. 64 bits suffice, as these are numbers of
  // users.
  int64_t best = 0;
  size_t best_in = 0;
  std::optional<Cut> cut;
  const auto consider = [&](Side side, double at, int64_t reached_in, int64_t missed_in) {
    const int64_t j = reached_in * missed - missed_in * reached;
    const auto in = static_cast<size_t>(reached_in + missed_in);
    if (cut && (j < best || (j == best && in >= best_in))) return;
    best = j;
    best_in = in;
    cut = Cut{side, at};
  };
  // kAtMost selects users at the beginning of the order, kAtLeast those at the end.
  const auto scan = [&](Side side, auto begin, auto end) {
    int64_t reached_in = 0, missed_in = 0;
    for (auto o = begin; o != end; ++o) {
      ++(o->reached ? reached_in : missed_in);
      if (std::next(o) == end || std::next(o)->value != o->value) consider(side, o->value, reached_in, missed_in);
    }
  };
  scan(Side::kAtLeast, sorted.rbegin(), sorted.rend());
  scan(Side::kAtMost, sorted.begin(), sorted.end());
  return cut;
}

double QuantileOf(std::span<const double> sorted, double share) {
  ATTUNE_CHECK(!sorted.empty(), "a quantile needs a value");
  // A share such as 0.55 is not exact in binary: 0.55 * 100 must not become rank 56.
  const double rank = std::ceil(share * static_cast<double>(sorted.size()) - 1e-9);
  return sorted[rank < 1 ? 0 : std::min(sorted.size(), static_cast<size_t>(rank)) - 1];
}

double Rounded(const Cut& cut, double neighbour, std::span<const double> units) {
  if (!std::isfinite(neighbour) || !std::isfinite(cut.at)) return cut.at;
  const bool down = cut.side == Side::kAtLeast;
  // The multiple of the unit next to `at` on the neighbour's side, unless it reaches the neighbour.
  const auto multiple = [&](double unit) -> std::optional<double> {
    const double number = (down ? std::floor(cut.at / unit) : std::ceil(cut.at / unit)) * unit;
    const bool between = down ? number > neighbour && number <= cut.at : number < neighbour && number >= cut.at;
    return between ? std::optional(number) : std::nullopt;
  };
  if (!units.empty()) {
    for (size_t i = units.size(); i-- > 0;) {
      if (const auto number = multiple(units[i])) return *number;
    }
    return cut.at;
  }
  const double largest = std::max(std::abs(cut.at), std::abs(neighbour));
  if (largest == 0) return cut.at;
  const int first = static_cast<int>(std::floor(std::log10(largest))) + 1;
  for (int digit = first; digit > first - 16; --digit) {
    // Divide for powers below 1, so that a tenth equals the literal 0.1.
    const double power = std::pow(10.0, std::abs(digit));
    const double scaled = digit >= 0 ? cut.at / power : cut.at * power;
    const double whole = down ? std::floor(scaled) : std::ceil(scaled);
    const double number = digit >= 0 ? whole * power : whole / power;
    if (down ? number > neighbour && number <= cut.at : number < neighbour && number >= cut.at) return number;
  }
  return cut.at;
}

}  // namespace attune
