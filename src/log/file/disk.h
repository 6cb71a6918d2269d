// The file operations that the log needs, so that tests and the simulator can replace the operating system. The real
// disk uses plain pread, pwrite, fdatasync, ftruncate and fallocate through libc, so that fault injectors can intercept
// them.
//
// Errors: kUnavailable if storage is full (ENOSPC, EDQUOT, EFBIG), which may be temporary. kNotFound if there is no
// such file. kIo for all others. Every message names the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace attune {

// An open file. One thread at a time writes; other threads may read meanwhile.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Fills `out` with up to `size` bytes from `offset`; fewer only at the end of the file.
  virtual Result<size_t> Read(uint64_t offset, char* out, size_t size) = 0;
  // Writes all bytes or fails. After a failure any part of them may have been written.
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
  // After ok, everything written and the size survive a power cut. After a failure this is unknown: the page cache may
  // have dropped the bytes, so a later successful call proves nothing.
  virtual Status Sync() = 0;
  // Truncates, or extends with zeros.
  virtual Status Truncate(uint64_t size) = 0;
  // Extends the file with zeros to `size` and reserves the space, so that later writes below `size` cannot run out of
  // space.
  virtual Status Allocate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() = 0;
};

// Any thread.
class Disk {
 public:
  enum class Mode {
    kRead,    // must exist
    kWrite,   // must exist; reads and writes
    kCreate,  // reads and writes; created, or truncated if it exists
  };

  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<DiskFile>> Open(const std::string& path, Mode mode) = 0;
  // Creates the folder and its parents, unless they exist.
  virtual Status MakeDir(const std::string& dir) = 0;
  // Names of the files in the folder, in no particular order.
  virtual Result<std::vector<std::string>> List(const std::string& dir) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Makes the creation and removal of names in the folder durable.
  virtual Status SyncDir(const std::string& dir) = 0;
};

// The operating system's disk. Valid for the life of the program.
Disk& RealDisk();

}  // namespace attune
