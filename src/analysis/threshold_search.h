// Finds thresholds for a metric: the distribution of its values, and the cut that best predicts who reaches a goal. The
// cut is chosen on users at one instant and checked on users at a later one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analysis/cut.h"

namespace attune {

// Users whose value is at least `from` and below `to`; in the last bin, at most `to`. If both are equal, exactly that
// value.
struct Bin {
  double from = 0;
  double to = 0;
  uint64_t users = 0;
  uint64_t reached = 0;
};

struct Distribution {
  uint64_t users = 0;
  uint64_t reached = 0;
  uint64_t with_value = 0;      // the members below cover these users; they are empty if there are none
  double least = 0;
  double most = 0;
  std::vector<double> quantiles;  // one for each of kShares
  std::vector<Bin> bins;        // one for each value if few; otherwise of equal width, with outliers in the outermost
};
inline constexpr double kShares[] = {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};

// `units`: as in Rounded. The limits of bins are then multiples of one of them.
Distribution DistributionOf(std::span<const Observation> observations, std::span<const double> units = {});

// A cut with its outcome on the users on which it was chosen, and on the later ones.
struct TriedCut {
  Cut cut;
  std::optional<double> share;  // of a quantile; nullopt: the best cut
  Confusion chosen;
  Confusion checked;
};

// Reasons not to use or trust a suggestion.
enum class Doubt : uint8_t {
  kNoValues,      // no user has a value at the earlier instant
  kConstant,      // all users with a value have the same
  kTooFew,        // fewer than kFewest users reached the goal, or did not, in either part: no cut is chosen
  kNoPower,  // no cut has a J above 0
  kContradicted,  // for the later users, the interval of J includes 0 or lies below it
};
inline constexpr uint64_t kFewest = 20;

struct Suggestion {
  Distribution distribution;    // at the earlier instant
  uint64_t checked_users = 0;
  uint64_t checked_reached = 0;
  std::vector<TriedCut> quantiles;
  std::optional<TriedCut> best;
  std::vector<Doubt> doubts;
};

// Finds the cut with the best J on `chosen` and checks it on `checked`. Does the same for cuts at quantiles, on the
// side of the best cut (at least, if there is none). Omits quantiles that select everybody with a value, or the same
// users as a previous one. The best cut and the bins are rounded with `units`.
Suggestion Suggest(std::span<const Observation> chosen, std::span<const Observation> checked, std::span<const double> units = {});

}  // namespace attune
