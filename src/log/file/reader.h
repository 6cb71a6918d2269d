// Reading the log in order, from any sequence on: recovery of shards, backfill of new definitions,
// replay.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "log/file/disk.h"
#include "log/file/log_file.h"
#include "log/file/record.h"

namespace attune {

struct LogReaderOptions {
  // Stop after this record. While a Log appends to the same folder, give its durable_sequence()
  // here: what lies behind may be half written. 0: up to the end as it is found.
  uint64_t last_sequence = 0;
  // Must outlive the reader.
  Disk* disk = &RealDisk();
};

// Owned by one thread. Reads in blocks of 1 MiB beside a running Log, without disturbing it.
class LogReader {
 public:
  // Finds the file and the first record with `from_sequence` or later (records before it in the
  // same file are read over).
  // kNotFound when records from there on were removed. No error when the log ends before it: Next
  // then returns false.
  static Result<LogReader> Open(const std::string& dir, uint64_t from_sequence, LogReaderOptions options = {});

  // The next record; false at the end. `record` points into the reader and is valid until the next
  // call. Holes are stepped over: then the sequence jumps. kCorrupt names file and offset; the
  // reader stays there.
  Result<bool> Next(RecordView* record);

  // Reads on to a later end: the Log has appended since. Next may be called again after it said
  // false.
  void ReadTo(uint64_t last_sequence);

 private:
  LogReader(std::string dir, LogReaderOptions options) : dir_(std::move(dir)), options_(options) {}

  Result<bool> NextInFiles(RecordView* record);
  Result<bool> GoToNextFile();
  Status CheckEnd();

  std::string dir_;
  LogReaderOptions options_;
  uint64_t next_sequence_ = 1;  // that Next looks for; later than the last record that it returned
  std::optional<LogFileScanner> scanner_;  // empty: the log has no file yet
};

}  // namespace attune
