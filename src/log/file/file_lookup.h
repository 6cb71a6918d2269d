// Looks up single records of the log by sequence, so that records needed only for questions about the past are not kept
// in memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "log/file/disk.h"
#include "log/file/record.h"
#include "log/record.h"

namespace attune {

// Marks are the offsets of some records, about one for each 64 KiB of the log. A lookup reads from the last mark before
// the record. The writer of the log notes its records; the first lookup in a part that an earlier process wrote reads
// it once and adds marks. A mark has 16 bytes: 256 KiB for each GiB of log.
class FileLookup {
 public:
  // Covers the files that are in the folder now; later ones by Note. `disk` must outlive this.
  static Result<std::unique_ptr<FileLookup>> Open(const std::string& dir, Disk* disk = &RealDisk());

  // A record begins at `offset` of a file. Any thread.
  void Note(uint64_t file_first_sequence, uint64_t sequence, uint64_t offset);

  // Returns the records with these durable sequences, in the same order; nullopt for one whose file was removed, or
  // that a repair replaced by a hole. kIo: a record cannot be read; kCorrupt: one is damaged, with file and offset. Any
  // thread; blocks on the disk.
  Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences);

 private:
  struct Mark {
    uint64_t sequence;
    uint64_t offset;
  };

  FileLookup(std::string dir, Disk* disk) : dir_(std::move(dir)), disk_(*disk) {}
  void AddMark(std::vector<Mark>* marks, Mark mark);
  // Where to begin reading for a sequence: the file's first sequence, and the last mark at or before the record.
  std::optional<std::pair<uint64_t, Mark>> Before(uint64_t sequence);
  // Afterwards `reached` is after the record, or after the place where it would be.
  Result<std::optional<FoundRecord>> ReadFrom(DiskFile& file, uint64_t file_first_sequence, Mark* reached, uint64_t sequence);
  // The bytes at `offset`, at least `size` of them unless the file ends. Valid until the next call.
  Result<std::string_view> View(DiskFile& file, uint64_t offset, size_t size);

  const std::string dir_;
  Disk& disk_;
  std::mutex reading_;  // one lookup at a time; locked before mutex_
  std::mutex mutex_;    // guards files_
  std::map<uint64_t, std::vector<Mark>> files_;  // by the first sequence; marks in order
  std::string block_;
  uint64_t block_offset_ = 0;
  size_t block_size_ = 0;
};

}  // namespace attune
