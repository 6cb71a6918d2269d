// One log file on disk: its name, and reading it record by record, whatever its state.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/file/disk.h"
#include "log/file/record.h"

namespace attune {

// `DIR/00000000000000000001.log`
std::string LogFilePath(const std::string& dir, uint64_t first_sequence);

// The first sequences of the log files in the folder, ascending, from their names. Ignores other files.
Result<std::vector<uint64_t>> ListLogFiles(Disk& disk, const std::string& dir);

// Where a file stops being a sequence of valid records, and why.
struct Damage {
  uint64_t offset = 0;       // of the first bad byte: the end of the last valid record
  uint64_t next_offset = 0;  // of the next valid record; 0: there is none
  uint64_t last_byte = 0;    // end of the last nonzero byte; the rest is reserved space
  bool torn = false;         // an interrupted write: it was never durable, so it was never acknowledged
};

// Reads one log file in blocks of 1 MiB. Owned by one thread.
class LogFileScanner {
 public:
  // Reads the header. kCorrupt if it is damaged, kInvalid if its version is newer than this program.
  static Result<LogFileScanner> Open(Disk& disk, const std::string& dir, uint64_t first_sequence);
  // As Open, but a damaged header is not an error; header() is then empty.
  static Result<LogFileScanner> OpenDamaged(Disk& disk, const std::string& dir, uint64_t first_sequence);

  enum class Step { kRecord, kEnd, kBad };

  // Reads the record at offset() and moves after it. kEnd: only reserved space or the end of the file is here, as far
  // as the next header shows (a damaged end may also give kEnd: see Examine). kBad: no record begins here, or not the
  // expected one. record() is valid until the next call.
  Result<Step> Next();
  const FileRecord& record() const { return record_; }

  // Classifies what is at offset() after Next returned kEnd or kBad, by reading the rest of the file. nullopt: a clean
  // end.
  Result<std::optional<Damage>> Examine();

  // Continues at the valid record that Examine found.
  void SkipTo(uint64_t offset);
  // Drops the block in memory, because the file has grown.
  void Refresh() { block_size_ = 0; }

  uint64_t offset() const { return offset_; }
  // The expected sequence.
  uint64_t expected() const { return expected_; }
  // Records before offset() are lost to a hole, or were skipped. Their number is unknown here.
  bool after_hole() const { return anchor_ < offset_; }
  const std::optional<FileHeader>& header() const { return header_; }
  const std::string& path() const { return path_; }
  DiskFile& file() { return *file_; }
  Result<uint64_t> Size() { return file_->Size(); }

 private:
  LogFileScanner(std::unique_ptr<DiskFile> file, std::string path, uint64_t first_sequence)
      : file_(std::move(file)), path_(std::move(path)), expected_(first_sequence) {}

  Result<std::string_view> View(uint64_t offset, size_t size);
  Result<bool> RecordAt(uint64_t offset, FileRecord* record);
  bool MayBeNext(uint64_t sequence, uint64_t offset) const;
  Result<uint64_t> FindRecord(uint64_t from);
  Result<bool> LaterGroupFollows(uint64_t from);
  Result<bool> HasLostSector(uint64_t from, uint64_t to);
  Result<uint64_t> LastByte(uint64_t from);

  std::unique_ptr<DiskFile> file_;
  std::string path_;
  std::optional<FileHeader> header_;
  std::string block_;
  uint64_t block_offset_ = 0;
  size_t block_size_ = 0;  // bytes of block_ that are filled
  uint64_t offset_ = kFileHeaderBytes;
  uint64_t expected_;
  // The offset where expected_ was due: below offset_ after a hole or a skip.
  uint64_t anchor_ = kFileHeaderBytes;
  FileRecord record_;
};

}  // namespace attune
