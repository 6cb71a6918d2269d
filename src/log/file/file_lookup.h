// Single records of the log by their sequence: what a question about the past reads back, so that it need not be kept
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

// Marks say where some records begin, about one for each 64 KiB of the log; from the mark before it a record is found
// by reading on. Who writes the log notes what it wrote; over what an earlier run wrote the first question reads once,
// and leaves marks behind. 16 bytes a mark: 256 KiB for each GiB of log.
class FileLookup {
 public:
  // Knows the files that are in the folder now; later ones by Note. `disk` must outlive this.
  static Result<std::unique_ptr<FileLookup>> Open(const std::string& dir, Disk* disk = &RealDisk());

  // A record begins at `offset` of a file. Any thread.
  void Note(uint64_t file_first_sequence, uint64_t sequence, uint64_t offset);

  // The records with these durable sequences, each at its place; nullopt for one whose file was removed, or that fell
  // into a hole. kIo: the disk cannot read one of them; kCorrupt: one is damaged, with file and offset. Any thread;
  // blocks on the disk.
  Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences);

 private:
  struct Mark {
    uint64_t sequence;
    uint64_t offset;
  };

  FileLookup(std::string dir, Disk* disk) : dir_(std::move(dir)), disk_(*disk) {}
  void AddMark(std::vector<Mark>* marks, Mark mark);
  // Where to begin reading for a sequence: the file's first sequence, and the last mark that is not behind the record.
  std::optional<std::pair<uint64_t, Mark>> Before(uint64_t sequence);
  // `reached` is behind the record then, or where it would be.
  Result<std::optional<FoundRecord>> ReadFrom(DiskFile& file, uint64_t file_first_sequence, Mark* reached, uint64_t sequence);
  // The bytes at `offset`, at least `size` of them unless the file ends; they live until the next call.
  Result<std::string_view> View(DiskFile& file, uint64_t offset, size_t size);

  const std::string dir_;
  Disk& disk_;
  std::mutex reading_;  // one question at a time; taken before the other
  std::mutex mutex_;    // guards files_
  std::map<uint64_t, std::vector<Mark>> files_;  // by the first sequence; marks in order
  std::string block_;
  uint64_t block_offset_ = 0;
  size_t block_size_ = 0;
};

}  // namespace attune
