// Byte streams that may be compressed.
#pragma once

#include <cstddef>
#include <memory>

#include "base/result.h"

namespace attune {

// A stream of bytes. Read returns between 1 and `size` bytes, and 0 at the end; kIo on a system error, kCorrupt when a
// compressed file is damaged or truncated.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;
};

// Decompresses gzip, zstd or xz, detected by the first bytes, not by the file's name. Several members in sequence are
// one stream, as in the command-line tools. Any other stream passes unchanged.
std::unique_ptr<ByteSource> Decompressed(std::unique_ptr<ByteSource> source);

}  // namespace attune
