// Bringing the files of a log into a state in which it can go on, after whatever ended the last
// run.
//
// - A *torn tail*, bytes at the end that no sync confirmed, is cut: incomplete or bad last records,
//   or a last group from which whole sectors are missing.
// - *Damage*, bad bytes before good records that were durable, is refused with file and offset, or,
//   with `repair`, replaced by a hole. The damaged bytes are first copied to
//   `damaged-<file>-<offset>` in the same folder.
// - A newest file whose creation was cut is removed.
// - The last group is written and synced once more: its bytes may have been in memory only.
//
// Without `repair` only the newest file is read whole; of the others the names and headers are
// checked (VerifyLog and LogReader check their records). Running it again after a crash in it gives
// the same result.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/file/disk.h"

namespace attune {

// Records that a repair gave up: both sequences included.
struct LostRecords {
  uint64_t first;
  uint64_t last;
};

struct LogRecovery {
  uint64_t first_sequence = 1;  // the oldest record that is kept, or the first one to come
  uint64_t last_sequence = 0;   // the newest, 0 when there is none
  uint64_t files = 0;
  uint64_t torn_bytes = 0;     // cut from the newest file
  uint64_t holes = 0;          // made by this repair
  uint64_t lost_records = 0;   // that these holes stand for
  uint64_t damaged_bytes = 0;  // that these holes cover
  std::vector<LostRecords> lost;  // the same records; of those lost at the very end nothing is known but the first
  // Of the newest file: where the next record goes.
  uint64_t newest_file = 0;  // its first sequence; 0: no file at all
  uint64_t end_offset = 0;
};

// The folder exists and no other process writes there. kCorrupt: damage; kInvalid: a newer format.
Result<LogRecovery> RecoverLog(Disk& disk, const std::string& dir, bool repair);

}  // namespace attune
