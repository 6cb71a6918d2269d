#include "history/line_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace attune {
namespace {

constexpr size_t kLineChunkBytes = 256 << 10;

class TextBytes : public ByteSource {
 public:
  explicit TextBytes(std::string_view text) : rest_(text) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    size = std::min(size, rest_.size());
    std::memcpy(buffer, rest_.data(), size);
    rest_.remove_prefix(size);
    return size;
  }

 private:
  std::string_view rest_;
};

}  // namespace

class LineFile::File : public ByteSource {
 public:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~File() override {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }
  Result<size_t> Read(char* buffer, size_t size) override {
    ssize_t got;
    do {
      got = ::read(fd_, buffer, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return Error{ErrorCode::kIo, fmt::format("{}: {}", path_, std::strerror(errno))};
    bytes_read_ += static_cast<uint64_t>(got);
    return static_cast<size_t>(got);
  }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  int fd_;
  std::string path_;
  uint64_t bytes_read_ = 0;
};

LineFile::LineFile() = default;
LineFile::~LineFile() = default;

Result<std::unique_ptr<LineFile>> LineFile::Open(const std::string& path) {
  const int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error{errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                 fmt::format("{}: {}", path, std::strerror(errno))};
  }
  std::unique_ptr<LineFile> lines(new LineFile());
  auto file = std::make_unique<File>(fd, path);
  struct stat info;
  if (::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) return Error{ErrorCode::kInvalid, path + " is a folder"};
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) lines->total_ = static_cast<uint64_t>(info.st_size);
  lines->file_ = file.get();
  lines->source_ = Decompressed(std::move(file));
  return lines;
}

std::unique_ptr<LineFile> LineFile::OfText(std::string_view text) {
  std::unique_ptr<LineFile> lines(new LineFile());
  lines->source_ = std::make_unique<TextBytes>(text);
  lines->total_ = text.size();
  return lines;
}

uint64_t LineFile::bytes_read() const { return file_ != nullptr ? file_->bytes_read() : 0; }

// Reads more bytes into the buffer; false at the end.
bool LineFile::Fill() {
  if (at_end_) return false;
  buffer_.erase(0, begin_);
  begin_ = 0;
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kLineChunkBytes);
  const auto got = source_->Read(buffer_.data() + kept, kLineChunkBytes);
  buffer_.resize(kept + (got.ok() ? *got : 0));
  if (!got.ok()) status_ = got.error();
  at_end_ = !got.ok() || *got == 0;
  return !at_end_;
}

bool LineFile::Next(std::string_view* line, size_t max_bytes) {
  too_long_ = false;
  long_line_.clear();
  size_t searched = 0;
  size_t end;
  while ((end = buffer_.find('\n', begin_ + searched)) == std::string::npos) {
    searched = buffer_.size() - begin_;
    if (searched > max_bytes) {
      // The line is too long: keep its first bytes and skip the rest.
      if (!too_long_) long_line_ = buffer_.substr(begin_, max_bytes);
      too_long_ = true;
      begin_ = buffer_.size();
      searched = 0;
    }
    if (Fill()) continue;
    if (!status_.ok() || (begin_ == buffer_.size() && !too_long_)) return false;
    end = buffer_.size();
    break;
  }
  *line = std::string_view(buffer_).substr(begin_, end - begin_);
  begin_ = std::min(end + 1, buffer_.size());
  if (++line_number_ == 1 && line->starts_with("\xEF\xBB\xBF")) line->remove_prefix(3);
  if (line->ends_with('\r')) line->remove_suffix(1);
  if (!too_long_ && line->size() > max_bytes) {
    too_long_ = true;
    long_line_ = line->substr(0, max_bytes);
  }
  if (too_long_) *line = long_line_;
  return true;
}

}  // namespace attune
