// Confidence intervals: they contain the true value in 95 of 100 cases.
#pragma once

#include <cstdint>
#include <optional>

namespace attune {

struct Interval {
  double low = 0;
  double high = 0;
};

// The two-sided quantile of the normal distribution for 95 %.
inline constexpr double kNormal95 = 1.959963984540054;

// For a share: `successes` of `trials`. E. B. Wilson, "Probable inference, the law of succession, and statistical
// inference", J. Am. Stat. Assoc. 22 (1927) 209-212. Unlike the simple interval it stays within 0 and 1 and is valid
// for few trials. Without trials: [0, 1].
Interval WilsonInterval(uint64_t successes, uint64_t trials);

// For the difference of two shares of separate trials, a - b. R. G. Newcombe, "Interval estimation for the difference
// between independent proportions", Statistics in Medicine 17 (1998) 873-890, method 10, which combines the Wilson
// intervals of both. Requires trials of both.
Interval DifferenceInterval(uint64_t successes_a, uint64_t trials_a, uint64_t successes_b, uint64_t trials_b);

}  // namespace attune
