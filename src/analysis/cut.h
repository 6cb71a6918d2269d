// Cuts: thresholds on a number that split users in two, and how well they separate users who reached a goal from the
// others.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analysis/interval.h"

namespace attune {

// One user: a number known at an instant (NaN: none), and whether the user reached the goal afterwards.
struct Observation {
  double value = 0;
  bool reached = false;
};

enum class Side : uint8_t { kAtLeast, kAtMost };

// Selects the users whose value is at least (or at most) `at`. Users without a value are never selected, since
// comparisons with null are false.
struct Cut {
  Side side = Side::kAtLeast;
  double at = 0;

  bool Selects(double value) const { return side == Side::kAtLeast ? value >= at : value <= at; }
};

// The outcome of a cut. "In" are the users that it selects.
struct Confusion {
  uint64_t reached_in = 0;
  uint64_t missed_in = 0;    // in, and did not reach the goal
  uint64_t reached_out = 0;
  uint64_t missed_out = 0;

  uint64_t in() const { return reached_in + missed_in; }
  uint64_t reached() const { return reached_in + reached_out; }
  uint64_t missed() const { return missed_in + missed_out; }
  uint64_t all() const { return reached() + missed(); }
};

Confusion Judge(std::span<const Observation> observations, const Cut& cut);

// W. J. Youden, "Index for rating diagnostic tests", Cancer 3 (1950) 32-35: sensitivity + specificity - 1. 0: the cut
// is useless; 1: it is perfect. Requires users who reached the goal and users who did not.
double YoudenJ(const Confusion& confusion);
// An interval for J: the difference of sensitivity and false positive rate, as in DifferenceInterval. Use users on whom
// the cut was not chosen. On those on whom it was chosen, J is biased upwards.
Interval YoudenInterval(const Confusion& confusion);

// The share of users in that reached the goal; the share of users who reached it that are in. Nullopt: no users.
std::optional<double> Precision(const Confusion& confusion);
std::optional<double> Recall(const Confusion& confusion);
// Precision divided by the share of all users who reached the goal: how many times likelier users in reach it. Nullopt:
// no users.
std::optional<double> Lift(const Confusion& confusion);
// By the delta method on its logarithm, with the four counts as one multinomial sample (A. Agresti, Categorical Data
// Analysis, 3rd edition 2013, 16.1): with a = reached_in, i = in, r = reached and n = all, var(log lift) = 1/a - 1/i -
// 1/r + 2a/(ir) - 1/n. Nullopt if nobody in reached the goal.
std::optional<Interval> LiftInterval(const Confusion& confusion);

// The cut with the largest J on either side; of equal ones, the one that selects fewest users. `at` is a value of some
// user. Nullopt if no cut separates users (only one value), or if all or none reached the goal. O(n log n).
std::optional<Cut> BestCut(std::span<const Observation> observations);

// The smallest value such that at least `share` (0 to 1) of the sorted values are not above it: the language's
// quantile. Requires at least one value.
double QuantileOf(std::span<const double> sorted, double share);

// A rounder number that selects the same users: of `at` and all numbers up to, but excluding, `neighbour` (kAtLeast:
// the next lower value; kAtMost: the next higher one), one with the fewest digits. If `neighbour` is infinite: `at`
// itself. With `units` (ascending, such as those of durations in milliseconds), a multiple of the largest unit
// possible.
double Rounded(const Cut& cut, double neighbour, std::span<const double> units = {});

}  // namespace attune
