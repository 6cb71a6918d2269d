// How sure a figure of some trials is: intervals that hold the true value 95 times in 100.
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

// Of a share of `trials`, of which `successes` succeeded. E. B. Wilson, "Probable inference, the law of succession, and
// statistical inference", J. Am. Stat. Assoc. 22 (1927) 209-212: unlike the plain one it stays within 0 and 1 and holds
// for few trials. Of no trials: [0, 1].
Interval WilsonInterval(uint64_t successes, uint64_t trials);

// Of the difference of two shares of separate trials, a - b. R. G. Newcombe, "Interval estimation for the difference
// between independent proportions", Statistics in Medicine 17 (1998) 873-890, his method 10: made of Wilson's intervals of
// both. Requires trials of either.
Interval DifferenceInterval(uint64_t successes_a, uint64_t trials_a, uint64_t successes_b, uint64_t trials_b);

}  // namespace attune
