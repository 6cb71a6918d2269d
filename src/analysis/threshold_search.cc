#include "analysis/threshold_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace attune {
namespace {

constexpr size_t kMostValues = 12;  // up to this many distinct values have a bin each
constexpr double kBins = 10;        // otherwise about this many bins

// 1, 2 or 5 times a power of ten, in the largest unit that does not exceed it; at least `width`.
double RoundWidth(double width, std::span<const double> units) {
  for (size_t i = units.size(); i-- > 0;) {
    if (units[i] <= width) return units[i] * RoundWidth(width / units[i], {});
  }
  const double power = std::pow(10.0, std::floor(std::log10(width)));
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= width) return digit * power;
  }
  return 10 * power;
}

std::vector<double> SortedValues(std::span<const Observation> observations) {
  std::vector<double> values;
  for (const Observation& o : observations) {
    if (!std::isnan(o.value)) values.push_back(o.value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

// Empty bins for sorted values.
std::vector<Bin> BinsOf(const std::vector<double>& sorted, std::span<const double> units) {
  std::vector<double> values(sorted);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::vector<Bin> bins;
  if (values.size() <= kMostValues) {
    for (const double value : values) bins.push_back({value, value});
    return bins;
  }
  // Between the 1st and 99th percentile: a few outliers would put all other values in one bin.
  const double low = QuantileOf(sorted, kShares[0]), high = QuantileOf(sorted, kShares[8]);
  const double width = high > low ? RoundWidth((high - low) / kBins, units) : 0;
  const bool parts = width > 0 && std::isfinite(high - low) && std::abs(low / width) < 1e15;  // multiples fit between
  if (!parts) return {{sorted.front(), sorted.back()}};
  for (double bound = std::floor(low / width); bound * width <= high; ++bound) bins.push_back({bound * width, (bound + 1) * width});
  if (sorted.back() >= bins.back().to) bins.push_back({bins.back().to, bins.back().to + width});
  bins.front().from = std::min(bins.front().from, sorted.front());
  bins.back().to = std::max(bins.back().to, sorted.back());
  return bins;
}

bool TooFew(std::span<const Observation> observations) {
  const auto reached = static_cast<uint64_t>(std::count_if(observations.begin(), observations.end(), [](const Observation& o) { return o.reached; }));
  return std::min<uint64_t>(reached, observations.size() - reached) < kFewest;
}

// The value next to the cut's among those that it excludes.
double NeighbourOf(const Cut& cut, const std::vector<double>& sorted) {
  if (cut.side == Side::kAtLeast) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), cut.at);
    return at == sorted.begin() ? -std::numeric_limits<double>::infinity() : *std::prev(at);
  }
  const auto at = std::upper_bound(sorted.begin(), sorted.end(), cut.at);
  return at == sorted.end() ? std::numeric_limits<double>::infinity() : *at;
}

}  // namespace

Distribution DistributionOf(std::span<const Observation> observations, std::span<const double> units) {
  Distribution d;
  d.users = observations.size();
  for (const Observation& o : observations) d.reached += o.reached;
  const std::vector<double> sorted = SortedValues(observations);
  d.with_value = sorted.size();
  if (sorted.empty()) return d;
  d.least = sorted.front();
  d.most = sorted.back();
  for (const double share : kShares) d.quantiles.push_back(QuantileOf(sorted, share));
  d.bins = BinsOf(sorted, units);
  for (const Observation& o : observations) {
    if (std::isnan(o.value)) continue;
    Bin& bin = *std::prev(std::upper_bound(d.bins.begin(), d.bins.end(), o.value, [](double value, const Bin& b) { return value < b.from; }));
    ++bin.users;
    bin.reached += o.reached;
  }
  return d;
}

Suggestion Suggest(std::span<const Observation> chosen, std::span<const Observation> checked, std::span<const double> units) {
  Suggestion s;
  s.distribution = DistributionOf(chosen, units);
  s.checked_users = checked.size();
  for (const Observation& o : checked) s.checked_reached += o.reached;
  const auto attempt = [&](const Cut& cut, std::optional<double> share) {
    return TriedCut{cut, share, Judge(chosen, cut), Judge(checked, cut)};
  };
  const std::vector<double> sorted = SortedValues(chosen);
  const bool few = TooFew(chosen) || TooFew(checked);
  if (few) s.doubts.push_back(Doubt::kTooFew);
  if (sorted.empty()) {
    s.doubts.push_back(Doubt::kNoValues);
    return s;
  }
  if (sorted.front() == sorted.back()) {
    s.doubts.push_back(Doubt::kConstant);
    return s;
  }
  Side side = Side::kAtLeast;
  if (!few) {
    auto cut = BestCut(chosen);
    if (cut && YoudenJ(Judge(chosen, *cut)) > 0) {
      cut->at = Rounded(*cut, NeighbourOf(*cut, sorted), units);
      s.best = attempt(*cut, std::nullopt);
      side = cut->side;
      if (YoudenInterval(s.best->checked).low <= 0) s.doubts.push_back(Doubt::kContradicted);
    } else {
      s.doubts.push_back(Doubt::kNoPower);
    }
  }
  constexpr double kHigh[] = {0.5, 0.75, 0.9, 0.95, 0.99}, kLow[] = {0.5, 0.25, 0.1, 0.05, 0.01};
  for (const double share : side == Side::kAtLeast ? kHigh : kLow) {
    const TriedCut tried = attempt({side, QuantileOf(sorted, share)}, share);
    const bool all = tried.chosen.in() == sorted.size();
    if (!all && (s.quantiles.empty() || s.quantiles.back().cut.at != tried.cut.at)) s.quantiles.push_back(tried);
  }
  return s;
}

}  // namespace attune
