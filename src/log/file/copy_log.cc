#include "log/file/copy_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "crypto/sha256.h"
#include "log/file/log_file.h"

namespace attune {
namespace {

constexpr size_t kCopyBytes = 1 << 20;
// As in LogReader: how often to retry what may be a write in progress by another process.
constexpr int kCopyTries = 20;
constexpr auto kCopyPause = std::chrono::milliseconds(10);

std::string NameOf(uint64_t first_sequence) { return LogFilePath("", first_sequence).substr(1); }

// The end of the complete records of the newest file; 0 if its creation is incomplete.
Result<uint64_t> EndOf(const std::string& dir, uint64_t first_sequence) {
  Error last{ErrorCode::kCorrupt, ""};
  for (int i = 0; i < kCopyTries; ++i) {
    if (i > 0) std::this_thread::sleep_for(kCopyPause);
    auto scanner = LogFileScanner::OpenDamaged(RealDisk(), dir, first_sequence);
    if (!scanner.ok()) return scanner.error();
    while (scanner->header()) {
      const auto step = scanner->Next();
      if (!step.ok()) return step.error();
      if (*step != LogFileScanner::Step::kRecord) break;
    }
    const auto damage = scanner->Examine();
    if (!damage.ok()) return damage.error();
    if (!damage->has_value() || (*damage)->torn) return scanner->header() ? scanner->offset() : 0;
    last.message = fmt::format("{}: offset {}: record {} is damaged", scanner->path(), scanner->offset(), scanner->expected());
  }
  return last;
}

}  // namespace

Result<CopiedFile> CopyFile(const std::string& from_dir, const std::string& to_dir, const std::string& name, uint64_t bytes,
                            const std::function<void(uint64_t bytes)>& on_copied) {
  auto from = RealDisk().Open(from_dir + '/' + name, Disk::Mode::kRead);
  if (!from.ok()) return from.error();
  auto to = RealDisk().Open(to_dir + '/' + name, Disk::Mode::kCreate);
  if (!to.ok()) return to.error();
  CopiedFile copied;
  copied.name = name;
  Sha256Stream sum;
  std::string buffer(kCopyBytes, '\0');
  while (copied.bytes < bytes) {
    const auto read = (*from)->Read(copied.bytes, buffer.data(), std::min<uint64_t>(kCopyBytes, bytes - copied.bytes));
    if (!read.ok()) return read.error();
    if (*read == 0) break;
    const std::string_view piece(buffer.data(), *read);
    if (Status written = (*to)->Write(copied.bytes, piece); !written.ok()) return written.error();
    sum.Add(piece);
    copied.bytes += *read;
    if (on_copied) on_copied(*read);
  }
  if (bytes != UINT64_MAX && copied.bytes != bytes) {
    return Error{ErrorCode::kIo, fmt::format("{}/{}: read {} bytes, expected {}", from_dir, name, copied.bytes, bytes)};
  }
  if (Status synced = (*to)->Sync(); !synced.ok()) return synced.error();
  copied.sha256 = sum.Finish();
  return copied;
}

Result<LogCopy> CopyLog(const std::string& from_dir, const std::string& to_dir, const std::function<void(uint64_t bytes)>& on_copied) {
  const auto files = ListLogFiles(RealDisk(), from_dir);
  if (!files.ok()) return files.error();
  LogCopy copy;
  for (const uint64_t first : *files) {
    uint64_t bytes = UINT64_MAX;
    if (first == files->back()) {
      const auto end = EndOf(from_dir, first);
      if (!end.ok()) return end.error();
      if (*end == 0) break;
      bytes = *end;
    }
    auto copied = CopyFile(from_dir, to_dir, NameOf(first), bytes, on_copied);
    if (!copied.ok()) return copied.error();
    copy.files.push_back(std::move(copied).value());
  }
  if (Status synced = RealDisk().SyncDir(to_dir); !synced.ok()) return synced.error();
  const Status whole = VerifyLog(RealDisk(), to_dir, &copy.report);
  if (!whole.ok()) {
    // The copy equals the source, so damage in it is reported with the source's name.
    std::string message = whole.error().message;
    if (message.starts_with(to_dir)) message.replace(0, to_dir.size(), from_dir);
    return Error{whole.error().code, message};
  }
  return copy;
}

}  // namespace attune
