// The log in a folder that this process does not write. Another process may write it.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "log/file/disk.h"
#include "log/file/file_lookup.h"
#include "log/log.h"

namespace attune {

class LogFolder : public ReadableLog {
 public:
  // `disk` must outlive this. The constructor reads nothing.
  explicit LogFolder(std::string dir, Disk* disk = &RealDisk()) : dir_(std::move(dir)), disk_(*disk) {}

  // Without `last_sequence` the reader ends where the files end. Records that another process appends meanwhile may be
  // included.
  Result<std::unique_ptr<LogReader>> NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence) override;
  // Covers the files that existed at the first call.
  Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences) override;

 private:
  const std::string dir_;
  Disk& disk_;
  std::mutex mutex_;
  std::unique_ptr<FileLookup> lookup_;  // guarded by mutex_; created by the first Read
};

}  // namespace attune
