// A progress bar on a terminal; nothing anywhere else.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace attune {

class Progress {
 public:
  // Draws to stderr when that is a terminal. `what` stands before the bar.
  explicit Progress(std::string what);
  ~Progress();

  // `total` 0: unknown. `note` stands behind, such as a rate. Draws at most ten times a second.
  void Show(uint64_t done, uint64_t total, const std::string& note);
  // Takes the bar off the screen.
  void Clear();

 private:
  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace attune
