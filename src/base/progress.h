// A progress bar on a terminal; otherwise nothing.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace attune {

class Progress {
 public:
  // Draws to stderr when that is a terminal. `what` precedes the bar.
  explicit Progress(std::string what);
  ~Progress();

  // `total` 0: unknown. `note` follows the bar, such as a rate. Draws at most ten times a second.
  void Show(uint64_t done, uint64_t total, const std::string& note);
  // Erases the bar.
  void Clear();

 private:
  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace attune
