// One log file as it lies on the disk: its name, and reading it record by record, whatever its
// state.
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

// First sequences of the log files in the folder, ascending, by their names alone. Other files are
// ignored.
Result<std::vector<uint64_t>> ListLogFiles(Disk& disk, const std::string& dir);

// Where a file stops being a run of good records, and why.
struct Damage {
  uint64_t offset = 0;       // of the first bad byte: the end of the last good record
  uint64_t next_offset = 0;  // of the next good record, 0 when there is none
  uint64_t last_byte = 0;    // end of what is not zero: bytes from here on are reserved space
  bool torn = false;         // a write that was cut: never durable, so nothing was promised
};

// Reads one log file in blocks of 1 MiB. Owned by one thread.
class LogFileScanner {
 public:
  // Reads the header: kCorrupt when it is damaged, kInvalid when it is newer than this program.
  static Result<LogFileScanner> Open(Disk& disk, const std::string& dir, uint64_t first_sequence);
  // As Open, but a damaged header is no error; header() is then empty.
  static Result<LogFileScanner> OpenDamaged(Disk& disk, const std::string& dir, uint64_t first_sequence);

  enum class Step { kRecord, kEnd, kBad };

  // Reads the record at offset() and moves behind it. kEnd: nothing but reserved space or the end
  // of the file is here, as far as the next header goes (a bad end also shows as kEnd: see
  // Examine). kBad: no record begins here, or not the one whose turn it is. record() is valid until
  // the next call.
  Result<Step> Next();
  const FileRecord& record() const { return record_; }

  // What is at offset(), where Next said kEnd or kBad: looks at the rest of the file. nullopt: a
  // clean end.
  Result<std::optional<Damage>> Examine();

  // Goes on at the good record that Examine found.
  void SkipTo(uint64_t offset);
  // Forgets the block in memory: the file has grown since.
  void Refresh() { block_size_ = 0; }

  uint64_t offset() const { return offset_; }
  // The sequence whose turn it is.
  uint64_t expected() const { return expected_; }
  // Records before offset() are lost to a hole, or were skipped; how many is not known here.
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
  size_t block_size_ = 0;  // how much of block_ is read
  uint64_t offset_ = kFileHeaderBytes;
  uint64_t expected_;
  // Where expected_ was due: below offset_ after a hole or a skip.
  uint64_t anchor_ = kFileHeaderBytes;
  FileRecord record_;
};

}  // namespace attune
