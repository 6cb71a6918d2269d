// Copies a log that may be in use.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "crypto/sha256.h"
#include "log/file/verify.h"

namespace attune {

struct CopiedFile {
  std::string name;  // within its folder
  uint64_t bytes = 0;
  Sha256Digest sha256{};
};

// Copies a file's first `bytes` bytes (all of it: UINT64_MAX), synced.
Result<CopiedFile> CopyFile(const std::string& from_dir, const std::string& to_dir, const std::string& name, uint64_t bytes = UINT64_MAX,
                            const std::function<void(uint64_t bytes)>& on_copied = nullptr);

struct LogCopy {
  std::vector<CopiedFile> files;
  LogReport report;  // of the copy, after reading it back completely
};

// Copies the log files of a folder to another, which exists and has none. Copies every record that was durable at the
// call, and possibly later ones. The copy ends after a complete record. Another process may append, but must not remove
// files. kCorrupt names the first damage of the source.
Result<LogCopy> CopyLog(const std::string& from_dir, const std::string& to_dir, const std::function<void(uint64_t bytes)>& on_copied);

}  // namespace attune
