// Restores the files of a log to a state in which it can continue, however the last process ended.
//
// - A *torn tail*, bytes at the end that no sync confirmed, is truncated: incomplete or invalid last records, or a last
//   group that lacks whole sectors.
// - *Damage*, invalid bytes before valid records that were durable, is an error with file and offset; with `repair`, it
//   is replaced by a hole. The damaged bytes are first copied to `damaged-<file>-<offset>` in the same folder.
// - A newest file whose creation was interrupted is removed.
// - The last group is written and synced again, because its bytes may have been in memory only.
//
// Without `repair` only the newest file is read completely; of the others the names and headers are checked (VerifyLog
// and LogReader check their records). Recovery is idempotent: it may be run again after a crash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/file/disk.h"

namespace attune {

// Records that a repair gave up, from the first to the last sequence.
struct LostRecords {
  uint64_t first;
  uint64_t last;
};

struct LogRecovery {
  uint64_t first_sequence = 1;  // the oldest record that is kept, or the first one to be appended
  uint64_t last_sequence = 0;   // the newest; 0: there is none
  uint64_t files = 0;
  uint64_t torn_bytes = 0;     // truncated from the newest file
  uint64_t holes = 0;          // made by this repair
  uint64_t lost_records = 0;   // in these holes
  uint64_t damaged_bytes = 0;  // in these holes
  std::vector<LostRecords> lost;  // the same records; of those lost at the very end only the first is known
  // The newest file, where the next record is appended.
  uint64_t newest_file = 0;  // its first sequence; 0: no file at all
  uint64_t end_offset = 0;
};

// Requires that the folder exists and no other process writes there. kCorrupt: damage; kInvalid: a newer format.
Result<LogRecovery> RecoverLog(Disk& disk, const std::string& dir, bool repair);

}  // namespace attune
