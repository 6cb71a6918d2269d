// One process writes a data folder at a time.
#pragma once

#include <string>

#include "base/result.h"

namespace attune {

// Holds `DIR/LOCK` until it is destroyed. The operating system lets go when the process ends,
// however it ends, so a LOCK file that is left behind means nothing. It holds the number of the
// process, for people.
class DataLock {
 public:
  // Creates the folder if it is missing. kConflict when another process (or another DataLock of
  // this one) holds it; the message names its process.
  static Result<DataLock> Take(const std::string& dir);

  ~DataLock();
  DataLock(DataLock&& other) noexcept;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;  // -1: moved from
};

}  // namespace attune
