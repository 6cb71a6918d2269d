// The lines of a file that may be compressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "compression/decompressed.h"

namespace attune {

class LineFile {
 public:
  // A path, or `-` for standard input. kNotFound, kIo; kInvalid for a folder.
  static Result<std::unique_ptr<LineFile>> Open(const std::string& path);
  // The lines of a text in memory.
  static std::unique_ptr<LineFile> OfText(std::string_view text);
  ~LineFile();

  // The next line without its line break (`\n` or `\r\n`) and, on the first line, without a byte order mark. False at
  // the end and on a read error, see status(). A line longer than `max_bytes` is truncated to `max_bytes` bytes, and
  // too_long() is true. The view is valid until the next call.
  bool Next(std::string_view* line, size_t max_bytes);
  bool too_long() const { return too_long_; }
  const Status& status() const { return status_; }

  uint64_t line_number() const { return line_number_; }  // of the last line returned, from 1
  uint64_t bytes_read() const;                           // bytes of the file on disk, at most `total`
  uint64_t total() const { return total_; }              // 0: unknown

 private:
  class File;
  LineFile();
  bool Fill();

  const File* file_ = nullptr;  // owned through source_
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t begin_ = 0;  // of the unread bytes in the buffer
  std::string long_line_;
  bool too_long_ = false;
  bool at_end_ = false;
  Status status_;
  uint64_t line_number_ = 0;
  uint64_t total_ = 0;
};

}  // namespace attune
