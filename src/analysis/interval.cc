#include "analysis/interval.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace attune {

Interval WilsonInterval(uint64_t successes, uint64_t trials) {
  if (trials == 0) return {0, 1};
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n;
  const double z2 = kNormal95 * kNormal95;
  const double centre = p + z2 / (2 * n);
  const double spread = kNormal95 * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  // At the ends the bound is exact, but rounding could miss it.
  return {successes == 0 ? 0 : (centre - spread) / (1 + z2 / n), successes == trials ? 1 : (centre + spread) / (1 + z2 / n)};
}

Interval DifferenceInterval(uint64_t successes_a, uint64_t trials_a, uint64_t successes_b, uint64_t trials_b) {
  ATTUNE_CHECK(trials_a > 0 && trials_b > 0, "a share needs trials");
  const double a = static_cast<double>(successes_a) / static_cast<double>(trials_a);
  const double b = static_cast<double>(successes_b) / static_cast<double>(trials_b);
  const Interval of_a = WilsonInterval(successes_a, trials_a);
  const Interval of_b = WilsonInterval(successes_b, trials_b);
  return {a - b - std::hypot(a - of_a.low, of_b.high - b), a - b + std::hypot(of_a.high - a, b - of_b.low)};
}

}  // namespace attune
