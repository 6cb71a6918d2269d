// The few file operations that the log needs, so that tests and the simulator can stand in for the
// operating system. The real disk uses plain pread, pwrite, fdatasync, ftruncate and fallocate
// through libc, so that fault injectors see them.
//
// Errors: kUnavailable when storage is full (ENOSPC, EDQUOT, EFBIG): space may come back. kNotFound
// when there is no such file. kIo for everything else. Every message names the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace attune {

// An open file. One thread at a time writes; reads may go on beside it.
class DiskFile {
 public:
  virtual ~DiskFile() = default;
  // Fills `out` with up to `size` bytes from `offset`; fewer only at the end of the file.
  virtual Result<size_t> Read(uint64_t offset, char* out, size_t size) = 0;
  // Writes all of it or fails; after a failure any part of it may be there.
  virtual Status Write(uint64_t offset, std::string_view bytes) = 0;
  // What was written, and the size, survive a power cut once this returned ok. After a failure
  // nobody knows what does: the page cache may have dropped the bytes, so a second call that
  // succeeds proves nothing.
  virtual Status Sync() = 0;
  // Cuts, or grows with zeros.
  virtual Status Truncate(uint64_t size) = 0;
  // Grows the file with zeros to `size` and reserves the space, so that later writes below `size`
  // do not lack it.
  virtual Status Allocate(uint64_t size) = 0;
  virtual Result<uint64_t> Size() = 0;
};

// Threads: all methods may be called from any thread.
class Disk {
 public:
  enum class Mode {
    kRead,    // must exist
    kWrite,   // must exist; reads and writes
    kCreate,  // reads and writes; created, or emptied when it exists
  };

  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<DiskFile>> Open(const std::string& path, Mode mode) = 0;
  // Creates the folder, and those above it, unless they exist.
  virtual Status MakeDir(const std::string& dir) = 0;
  // Names of the files in the folder, in no particular order.
  virtual Result<std::vector<std::string>> List(const std::string& dir) = 0;
  virtual Status Remove(const std::string& path) = 0;
  // Makes the names that were created and removed in the folder survive a power cut.
  virtual Status SyncDir(const std::string& dir) = 0;
};

// The operating system's. Lives for the whole program.
Disk& RealDisk();

}  // namespace attune
