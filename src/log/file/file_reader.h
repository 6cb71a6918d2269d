// Reads the log files of a folder in order, from any sequence on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "log/file/disk.h"
#include "log/file/log_file.h"
#include "log/log_reader.h"

namespace attune {

struct FileReaderOptions {
  // Stop after this record. While a FileLog appends to the same folder, give its durable_sequence() here: what lies behind
  // may be half written. Nothing: up to the end as it is found.
  std::optional<uint64_t> last_sequence = std::nullopt;
  // Must outlive the reader.
  Disk* disk = &RealDisk();
};

// Reads in blocks of 1 MiB beside a running FileLog, without disturbing it.
class FileReader : public LogReader {
 public:
  // Finds the file and the first record with `from_sequence` or later (records before it in the same file are read over).
  // kNotFound when records from there on were removed. No error when the log ends before it: the reader is at its end.
  static Result<FileReader> Open(const std::string& dir, uint64_t from_sequence, FileReaderOptions options = {});

  // kCorrupt names file and offset, once all records before the damage were handed out. Holes are stepped over: then the
  // sequence jumps.
  Result<DurableBlock> NextBlock() override;
  // The FileLog has appended since.
  void ReadTo(uint64_t last_sequence) override;

 private:
  FileReader(std::string dir, FileReaderOptions options) : dir_(std::move(dir)), options_(options) {}

  // The next record, which points into the scanner until the next call; false at the end.
  Result<bool> NextRecord(RecordView* record);
  Result<bool> NextInFiles(RecordView* record);
  Result<bool> GoToNextFile();
  Status CheckEnd();

  std::string dir_;
  FileReaderOptions options_;
  uint64_t next_sequence_ = 1;  // that NextRecord looks for; later than the last record that it returned
  Status failure_;  // that ended the last block, for the next call
  std::optional<LogFileScanner> scanner_;  // empty: the log has no file yet
};

// FileReader::Open for who knows only the interface.
Result<std::unique_ptr<LogReader>> NewFileReader(const std::string& dir, uint64_t from_sequence, FileReaderOptions options);

}  // namespace attune
