// Streams of bytes that may be compressed.
#pragma once

#include <cstddef>
#include <memory>

#include "base/result.h"

namespace attune {

// A stream of bytes. Read gives between 1 and `size` bytes, 0 at the end; kIo when the system refuses, kCorrupt when a
// compressed file is damaged or ends too early.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;
};

// Undoes gzip, zstd or xz, told by the first bytes whatever the file is called; several members one after the other
// are one stream, as the tools have it. All else is taken as it is.
std::unique_ptr<ByteSource> Decompressed(std::unique_ptr<ByteSource> source);

}  // namespace attune
