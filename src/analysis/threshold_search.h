// Thresholds worth trying for a metric: where its values lie, and which cut tells best who reaches a goal. Chosen on
// users as they were at one instant, checked on users as they were at a later one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "analysis/cut.h"

namespace attune {

// Users whose value is at least `from` and below `to`; of the last bin, at most `to`. Where both are the same, just that.
struct Bin {
  double from = 0;
  double to = 0;
  uint64_t users = 0;
  uint64_t reached = 0;
};

struct Distribution {
  uint64_t users = 0;
  uint64_t reached = 0;
  uint64_t with_value = 0;      // the figures below are of these; there are none when nobody has a value
  double least = 0;
  double most = 0;
  std::vector<double> quantiles;  // by kShares
  std::vector<Bin> bins;        // one for each value when those are few; else of equal width, the outermost with what lies beyond
};
inline constexpr double kShares[] = {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};

// `units` as Rounded takes them: bins then are round numbers of one of them.
Distribution DistributionOf(std::span<const Observation> observations, std::span<const double> units = {});

// A cut with how it came out on the users that it was made from, and on the later ones.
struct TriedCut {
  Cut cut;
  std::optional<double> share;  // of a quantile; nullopt: chosen for its J
  Confusion chosen;
  Confusion checked;
};

// Why a suggestion should not be followed, or not be relied on.
enum class Doubt : uint8_t {
  kNoValues,      // nobody has a value at the earlier instant
  kConstant,      // everybody with a value has the same
  kTooFew,        // fewer than kFewest users reached the goal, or did not, in either part: no cut is chosen
  kTellsNothing,  // no cut has a J above 0
  kContradicted,  // on the later users J may as well be 0: its interval reaches 0 or lies below
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

// Looks for the cut with the best J on `chosen` and tries it on `checked`; the same for cuts at quantiles, on the side of
// the best cut (at least, when there is none): of those the ones that select everybody with a value, or the same users as
// one before, are left out. The best cut and the bins are rounded with `units`.
Suggestion Suggest(std::span<const Observation> chosen, std::span<const Observation> checked, std::span<const double> units = {});

}  // namespace attune
