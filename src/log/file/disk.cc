#include "log/file/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace attune {
namespace {

Error SystemError(std::string_view what, const std::string& path, int number) {
  const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
  const ErrorCode code = full ? ErrorCode::kUnavailable : number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return Error{code,
               fmt::format("{}: cannot {}: {}{}", path, what, full ? "storage full: " : "", std::strerror(number))};
}

// Repeats the call while a signal interrupts it.
template <typename Call>
auto Uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class RealFile : public DiskFile {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;
  ~RealFile() override { close(fd_); }

  Result<size_t> Read(uint64_t offset, char* out, size_t size) override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = Uninterrupted([&] { return pread(fd_, out + done, size - done, offset + done); });
      if (n < 0) return SystemError("read", path_, errno);
      if (n == 0) break;
      done += n;
    }
    return done;
  }

  Status Write(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = Uninterrupted([&] { return pwrite(fd_, bytes.data(), bytes.size(), offset); });
      if (n < 0) return SystemError("write", path_, errno);
      // No progress and no error: do not loop.
      if (n == 0) return SystemError("write", path_, EIO);
      bytes.remove_prefix(n);
      offset += n;
    }
    return {};
  }

  Status Sync() override {
    // Not repeated after EINTR: the kernel reports a failed write-back only once.
    if (fdatasync(fd_) != 0) return SystemError("sync", path_, errno);
    return {};
  }

  Status Truncate(uint64_t size) override {
    if (Uninterrupted([&] { return ftruncate(fd_, size); }) != 0) {
      return SystemError("truncate", path_, errno);
    }
    return {};
  }

  Status Allocate(uint64_t size) override {
    if (Uninterrupted([&] { return fallocate(fd_, 0, 0, size); }) == 0) return {};
    // Some file systems cannot reserve space. Then only the size grows, and a full disk is detected at the write.
    if (errno == EOPNOTSUPP) return Truncate(size);
    return SystemError("reserve space", path_, errno);
  }

  Result<uint64_t> Size() override {
    struct stat info;
    if (fstat(fd_, &info) != 0) return SystemError("stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  const int fd_;
  const std::string path_;
};

class OperatingSystem : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> Open(const std::string& path, Mode mode) override {
    const int flags = mode == Mode::kRead ? O_RDONLY : mode == Mode::kWrite ? O_RDWR : O_RDWR | O_CREAT | O_TRUNC;
    const int fd = Uninterrupted([&] { return open(path.c_str(), flags | O_CLOEXEC, 0640); });
    if (fd < 0) return SystemError("open", path, errno);
    return std::unique_ptr<DiskFile>(std::make_unique<RealFile>(fd, path));
  }

  Status MakeDir(const std::string& dir) override {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error) return SystemError("create the folder", dir, error.value());
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& dir) override {
    std::error_code error;
    std::vector<std::string> names;
    std::filesystem::directory_iterator it(dir, error);
    for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) return SystemError("list", dir, error.value());
    return names;
  }

  Status Remove(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return SystemError("remove", path, errno);
    return {};
  }

  Status SyncDir(const std::string& dir) override {
    const int fd = Uninterrupted([&] { return open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return SystemError("open", dir, errno);
    const int result = fsync(fd);
    const int number = errno;
    close(fd);
    if (result != 0) return SystemError("sync", dir, number);
    return {};
  }
};

}  // namespace

Disk& RealDisk() {
  static OperatingSystem disk;
  return disk;
}

}  // namespace attune
