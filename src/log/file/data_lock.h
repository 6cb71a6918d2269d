// Ensures that only one process writes a data folder.
#pragma once

#include <string>

#include "base/result.h"

namespace attune {

// Holds `DIR/LOCK` until it is destroyed. The operating system releases the lock whenever the process ends, so an
// existing LOCK file alone means nothing. The file contains the process id, for people.
class DataLock {
 public:
  // Creates the folder if it is missing. kConflict if another process (or another DataLock of this one) holds the lock;
  // the message names the process.
  static Result<DataLock> Take(const std::string& dir);

  ~DataLock();
  DataLock(DataLock&& other) noexcept;

 private:
  explicit DataLock(int fd) : fd_(fd) {}
  int fd_;  // -1: moved from
};

}  // namespace attune
