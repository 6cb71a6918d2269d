// Cuts: a threshold on a number that splits users in two, and how well that tells those who reached a goal from those who
// did not.
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

// The users whose value is at least (or at most) `at`. Those without a value are never among them, as a comparison with
// null holds of nobody.
struct Cut {
  Side side = Side::kAtLeast;
  double at = 0;

  bool Selects(double value) const { return side == Side::kAtLeast ? value >= at : value <= at; }
};

// How a cut came out. "In" are the users that it selects.
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

// W. J. Youden, "Index for rating diagnostic tests", Cancer 3 (1950) 32-35: sensitivity + specificity - 1. 0: the cut says
// nothing, 1: it says all. Requires users who reached the goal and users who did not.
double YoudenJ(const Confusion& confusion);
// Sensitivity less the share of false alarms, of separate users: DifferenceInterval. For users on whom the cut was not
// chosen: on those it was, J is too high.
Interval YoudenInterval(const Confusion& confusion);

// Of those in, the share that reached the goal; of those who reached it, the share that is in; nullopt: of nobody.
std::optional<double> Precision(const Confusion& confusion);
std::optional<double> Recall(const Confusion& confusion);
// Precision by the share of all who reached the goal: how many times likelier it is for those in. Nullopt: of nobody.
std::optional<double> Lift(const Confusion& confusion);
// By the delta method on its logarithm, the four counts taken as one multinomial sample (A. Agresti, Categorical Data
// Analysis, 3rd edition 2013, 16.1): with a = reached_in, i = in, r = reached and n = all,
// var(log lift) = 1/a - 1/i - 1/r + 2a/(ir) - 1/n. Nullopt when nobody in reached the goal.
std::optional<Interval> LiftInterval(const Confusion& confusion);

// The cut with the largest J of all on either side; of equals the one that selects fewest. `at` is a value that a user has.
// Nullopt when no cut parts users (one value alone), or all or none reached the goal. n log n.
std::optional<Cut> BestCut(std::span<const Observation> observations);

// The smallest value such that at least `share` (0 to 1) of the sorted values are not above it: the language's quantile.
// Requires a value.
double QuantileOf(std::span<const double> sorted, double share);

// A number between two values of the data that selects the same users and is easier on the eye: of `at` and all numbers
// up to `neighbour`, which is left out (kAtLeast: the next lower value; kAtMost: the next higher one), one with the
// fewest digits. An infinite neighbour: `at` itself. With `units` (ascending, such as those of durations in
// milliseconds) one that is a whole number of the largest unit possible.
double Rounded(const Cut& cut, double neighbour, std::span<const double> units = {});

}  // namespace attune
