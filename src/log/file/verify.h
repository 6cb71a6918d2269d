// Reads a whole log to find all damage, without changing anything.
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
  uint64_t records = 0;         // valid ones, without holes
  uint64_t payload_bytes = 0;   // of these
  uint64_t first_sequence = 0;  // of these
  uint64_t last_sequence = 0;
  uint64_t holes = 0;       // left by earlier repairs
  uint64_t torn_bytes = 0;  // at the end of the newest file: not damage, the next Open truncates them
  uint64_t damages = 0;     // invalid records, invalid headers, missing files
  std::optional<Error> first_damage;
  std::vector<std::string> found;  // `file: offset N: what` for each damage, at most kMostFound
};

inline constexpr size_t kMostFound = 1000;

// Verifies every checksum and the sequence of every record, and continues after damage. Returns ok if there is none,
// else the first damage. An error of the disk ends it. Fills `report` in every case. Requires that no Log is open in
// the folder.
Status VerifyLog(Disk& disk, const std::string& dir, LogReport* report);

}  // namespace attune
