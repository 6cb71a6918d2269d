// Reading a whole log to find every damage, without changing anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/file/disk.h"

namespace attune {

struct LogReport {
  uint64_t files = 0;
  uint64_t records = 0;         // good ones, holes not counted
  uint64_t payload_bytes = 0;   // of these
  uint64_t first_sequence = 0;  // of these
  uint64_t last_sequence = 0;
  uint64_t holes = 0;       // left by earlier repairs
  uint64_t torn_bytes = 0;  // at the end of the newest file: no damage, the next Open cuts them
  uint64_t damages = 0;     // bad records, bad headers, missing files
  std::optional<Error> first_damage;
  std::vector<std::string> found;  // `file: offset N: what` of each damage, as far as kMostFound of them
};

inline constexpr size_t kMostFound = 1000;

// Checks every checksum and the sequence of every record, and goes on behind damage. ok when there
// is none; else the first damage. An error of the disk itself ends it. `report` is filled either
// way. No Log is open in the folder.
Status VerifyLog(Disk& disk, const std::string& dir, LogReport* report);

}  // namespace attune
