#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace attune {
namespace {

Error Failed(const std::string& path) { return {ErrorCode::kIo, path + ": " + std::strerror(errno)}; }

bool WriteAll(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    content.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Status ReplaceFile(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return Failed(fresh);
  const bool written = WriteAll(file, content) && fsync(file) == 0;
  if (!written) {
    const Error failed = Failed(fresh);
    close(file);
    unlink(fresh.c_str());
    return failed;
  }
  close(file);
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    const Error failed = Failed(path);
    unlink(fresh.c_str());
    return failed;
  }
  // The new name is durable once its folder is synced.
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int opened = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return Failed(folder);
  const bool synced = fsync(opened) == 0;
  const Error failed = Failed(folder);
  close(opened);
  if (!synced) return failed;
  return {};
}

}  // namespace attune
