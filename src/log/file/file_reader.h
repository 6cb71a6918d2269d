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
  // The last record to read. While a FileLog appends to the same folder, pass its durable_sequence(), since later bytes
  // may be a partial write. nullopt: read up to the end as found.
  std::optional<uint64_t> last_sequence = std::nullopt;
  // Must outlive the reader.
  Disk* disk = &RealDisk();
};

// Reads in blocks of 1 MiB while a FileLog may write, without interfering with it.
class FileReader : public LogReader {
 public:
  // Finds the file and the first record with `from_sequence` or later (it reads over earlier records of the same file).
  // kNotFound if records from there on were removed. If the log ends before it, the reader is at its end; that is not
  // an error.
  static Result<FileReader> Open(const std::string& dir, uint64_t from_sequence, FileReaderOptions options = {});

  // kCorrupt names file and offset, after all records before the damage were returned. Holes are skipped, so the
  // sequence jumps.
  Result<DurableBlock> NextBlock() override;
  // Extends the range after the FileLog has appended.
  void ReadTo(uint64_t last_sequence) override;

 private:
  FileReader(std::string dir, FileReaderOptions options) : dir_(std::move(dir)), options_(options) {}

  // The next record, which points into the scanner until the next call. False at the end.
  Result<bool> NextRecord(RecordView* record);
  Result<bool> NextInFiles(RecordView* record);
  Result<bool> GoToNextFile();
  Status CheckEnd();

  std::string dir_;
  FileReaderOptions options_;
  uint64_t next_sequence_ = 1;  // the sequence that NextRecord looks for; later than the last record that it returned
  Status failure_;  // the error that ended the last block, returned by the next call
  std::optional<LogFileScanner> scanner_;  // empty: the log has no file yet
};

// FileReader::Open through the interface only.
Result<std::unique_ptr<LogReader>> NewFileReader(const std::string& dir, uint64_t from_sequence, FileReaderOptions options);

}  // namespace attune
