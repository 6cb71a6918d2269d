// Sums that do not depend on the order of their terms.
#pragma once

namespace attune {

// A sum kept as two doubles that do not overlap, about 106 bits (Knuth, The Art of Computer Programming 2, 4.2.2;
// Dekker 1971). For amounts of money and similar values every step is exact. So terms may be added and removed in any
// order, and the rounded result is that of the true sum: ten times 0.1 is 1.
class ExactSum {
 public:
  constexpr ExactSum() = default;
  constexpr ExactSum(double high, double low) : high_(high), low_(low) {}

  void Add(double term) { Add(ExactSum(term, 0)); }
  void Subtract(const ExactSum& other) { Add(ExactSum(-other.high_, -other.low_)); }
  void Add(const ExactSum& other) {
    double error;
    const double sum = TwoSum(high_, other.high_, &error);
    double low_error;
    const double low = TwoSum(low_, other.low_, &low_error);
    error += low;
    double high = sum + error;
    error -= high - sum;
    error += low_error;
    high_ = high + error;
    low_ = error - (high_ - high);
  }

  double value() const { return high_; }
  double high() const { return high_; }
  double low() const { return low_; }

 private:
  static double TwoSum(double a, double b, double* error) {
    const double sum = a + b;
    const double b_part = sum - a;
    *error = (a - (sum - b_part)) + (b - b_part);
    return sum;
  }

  double high_ = 0;
  double low_ = 0;
};

}  // namespace attune
