#include "log/file/data_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace attune {
namespace {

Error Refused(const std::string& path, const char* what, int number) {
  return Error{ErrorCode::kIo, fmt::format("{}: cannot {}: {}", path, what, std::strerror(number))};
}

// The process id that the holder wrote; empty if it has not written it yet.
std::string HolderOf(int fd) {
  char text[32];
  const ssize_t n = pread(fd, text, sizeof text, 0);
  std::string pid(text, n > 0 ? n : 0);
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) return {};
  return fmt::format(" (process {})", pid);
}

}  // namespace

Result<DataLock> DataLock::Take(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Refused(dir, "create the folder", error.value());
  const std::string path = dir + "/LOCK";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return Refused(path, "open", errno);
  DataLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Refused(path, "lock", errno);
    return Error{ErrorCode::kConflict, fmt::format("{}: another process{} uses this data folder; stop it first, or use "
                                                   "another folder",
                                                   path, HolderOf(fd))};
  }
  // Only informational: the lock holds without it, so a full disk is no reason to fail.
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, pid.data(), pid.size(), 0);
  return lock;
}

DataLock::~DataLock() {
  if (fd_ >= 0) close(fd_);
}

DataLock::DataLock(DataLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

}  // namespace attune
