#include "log/file/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "log/file/log_file.h"
#include "log/file/record.h"

namespace attune {
namespace {

constexpr size_t kRepairBytes = 1 << 20;

class Recoverer {
 public:
  Recoverer(Disk& disk, const std::string& dir, bool repair) : disk_(disk), dir_(dir), repair_(repair) {}

  Result<LogRecovery> Run();

 private:
  Status RemoveTornFile();
  Status CheckHeader(size_t index);
  Status CheckRecords(size_t index);
  Status Mend(LogFileScanner& scanner, const Damage& damage, uint64_t next_file);
  Status CutTail(LogFileScanner& scanner, const Damage& damage);
  Status CloseGap(LogFileScanner& scanner, uint64_t next_file);
  Status RewriteTail(LogFileScanner& scanner, uint64_t last_group);
  Status WriteHole(LogFileScanner& scanner, uint64_t from, uint64_t to);
  Status KeepDamagedBytes(LogFileScanner& scanner, std::string_view bytes, uint64_t offset);
  // Records the loss of [from, next).
  void Lose(uint64_t from, uint64_t next) {
    if (next <= from) return;
    found_.lost_records += next - from;
    found_.lost.push_back({from, next - 1});
  }

  Disk& disk_;
  const std::string& dir_;
  const bool repair_;
  std::vector<uint64_t> files_;
  LogRecovery found_;
};

Error DamageError(const LogFileScanner& scanner, const Damage& damage) {
  return Error{
      ErrorCode::kCorrupt,
      fmt::format("{}: offset {}: record {} is damaged{}; a repair keeps the others", scanner.path(), damage.offset,
                  scanner.expected(),
                  damage.next_offset == 0 ? std::string()
                                          : fmt::format(", good records follow at offset {}", damage.next_offset))};
}

// When a file is created, its header is synced before any record is written. So a newest file with neither is an
// interrupted creation.
Status Recoverer::RemoveTornFile() {
  while (!files_.empty()) {
    auto scanner = LogFileScanner::OpenDamaged(disk_, dir_, files_.back());
    if (!scanner.ok()) return scanner.error();
    if (scanner->header()) return {};
    const auto damage = scanner->Examine();
    if (!damage.ok()) return damage.error();
    if (*damage) return {};
    if (Status status = disk_.Remove(scanner->path()); !status.ok()) return status;
    if (Status status = disk_.SyncDir(dir_); !status.ok()) return status;
    files_.pop_back();
  }
  return {};
}

Status Recoverer::CheckHeader(size_t index) {
  auto scanner = LogFileScanner::OpenDamaged(disk_, dir_, files_[index]);
  if (!scanner.ok()) return scanner.error();
  const uint64_t previous = index == 0 ? 0 : files_[index - 1];
  const bool linked = scanner->header() && (index == 0 || scanner->header()->previous == previous);
  if (linked) return {};
  if (!repair_) {
    if (!scanner->header()) {
      return Error{ErrorCode::kCorrupt, fmt::format("{}: offset 0: the file header is damaged", scanner->path())};
    }
    return Error{ErrorCode::kCorrupt, fmt::format("{}: the log file before it, {}, is missing", scanner->path(),
                                                  LogFilePath(dir_, scanner->header()->previous))};
  }
  auto file = disk_.Open(scanner->path(), Disk::Mode::kWrite);
  if (!file.ok()) return file.error();
  Status status = (*file)->Write(0, EncodeFileHeader({files_[index], previous}));
  return status.ok() ? (*file)->Sync() : status;
}

Status Recoverer::CheckRecords(size_t index) {
  auto scanner = LogFileScanner::Open(disk_, dir_, files_[index]);
  if (!scanner.ok()) return scanner.error();
  const uint64_t next_file = index + 1 < files_.size() ? files_[index + 1] : 0;
  uint64_t lost_from = 0;   // the expected sequence where records were skipped
  uint64_t last_group = 0;  // its offset; 0, the header's, if there is no record
  while (true) {
    const uint64_t offset = scanner->offset();
    const auto step = scanner->Next();
    if (!step.ok()) return step.error();
    if (*step == LogFileScanner::Step::kRecord) {
      if (scanner->record().flags & kGroupStart) last_group = offset;
      if (lost_from != 0) Lose(lost_from, scanner->record().sequence);
      lost_from = 0;
      continue;
    }
    const auto damage = scanner->Examine();
    if (!damage.ok()) return damage.error();
    if (!damage->has_value()) break;
    if (next_file == 0 && (*damage)->torn) {
      if (Status status = CutTail(*scanner, **damage); !status.ok()) return status;
      break;
    }
    if (!repair_) return DamageError(*scanner, **damage);
    if (Status status = Mend(*scanner, **damage, next_file); !status.ok()) return status;
    if ((*damage)->next_offset == 0) break;
    if (lost_from == 0) lost_from = scanner->expected();
  }
  if (next_file != 0) return CloseGap(*scanner, next_file);
  found_.newest_file = files_[index];
  found_.end_offset = scanner->offset();
  found_.last_sequence = scanner->expected() - 1;
  return RewriteTail(*scanner, last_group);
}

// The last group may not have been synced. It may then be only in the page cache, and if a sync failed, be marked as
// written, so that another sync does nothing. Writing it again makes it durable or returns an error. The same holds for
// the name of a new file.
Status Recoverer::RewriteTail(LogFileScanner& scanner, uint64_t last_group) {
  auto file = disk_.Open(scanner.path(), Disk::Mode::kWrite);
  if (!file.ok()) return file.error();
  std::string bytes(kRepairBytes, '\0');
  for (uint64_t offset = last_group; offset < scanner.offset();) {
    const size_t wanted = std::min<uint64_t>(kRepairBytes, scanner.offset() - offset);
    const auto read = (*file)->Read(offset, bytes.data(), wanted);
    if (!read.ok()) return read.error();
    const std::string_view chunk = std::string_view(bytes).substr(0, *read);
    if (Status status = (*file)->Write(offset, chunk); !status.ok()) return status;
    offset += wanted;
  }
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  return disk_.SyncDir(dir_);
}

Status Recoverer::CutTail(LogFileScanner& scanner, const Damage& damage) {
  auto file = disk_.Open(scanner.path(), Disk::Mode::kWrite);
  if (!file.ok()) return file.error();
  if (Status status = (*file)->Truncate(damage.offset); !status.ok()) return status;
  // Before anything is appended: otherwise a later crash could restore the truncated bytes after new records.
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  found_.torn_bytes += damage.last_byte - damage.offset;
  return {};
}

Status Recoverer::Mend(LogFileScanner& scanner, const Damage& damage, uint64_t next_file) {
  uint64_t to = damage.next_offset;
  if (to == 0) {
    // No valid record follows in an older file.
    to = std::max(damage.last_byte, damage.offset + kRecordHeaderBytes);
    Lose(scanner.expected(), next_file);
  }
  if (to - damage.offset < kRecordHeaderBytes) return DamageError(scanner, damage);
  if (Status status = WriteHole(scanner, damage.offset, to); !status.ok()) return status;
  scanner.SkipTo(to);
  scanner.Refresh();
  return {};
}

// Records a hole where an older file ends too early.
Status Recoverer::CloseGap(LogFileScanner& scanner, uint64_t next_file) {
  if (!repair_ || scanner.expected() == next_file || scanner.after_hole()) return {};
  const Damage end{.offset = scanner.offset()};
  if (scanner.expected() > next_file) return DamageError(scanner, end);
  Lose(scanner.expected(), next_file);
  return WriteHole(scanner, end.offset, end.offset + kRecordHeaderBytes);
}

Status Recoverer::KeepDamagedBytes(LogFileScanner& scanner, std::string_view bytes, uint64_t offset) {
  const std::string name = scanner.path().substr(scanner.path().rfind('/') + 1);
  auto copy = disk_.Open(fmt::format("{}/damaged-{}-{}", dir_, name, offset), Disk::Mode::kCreate);
  if (!copy.ok()) return copy.error();
  if (Status status = (*copy)->Write(0, bytes); !status.ok()) return status;
  if (Status status = (*copy)->Sync(); !status.ok()) return status;
  return disk_.SyncDir(dir_);
}

Status Recoverer::WriteHole(LogFileScanner& scanner, uint64_t from, uint64_t to) {
  std::string bytes(to - from, '\0');
  const auto read = scanner.file().Read(from, bytes.data(), bytes.size());
  if (!read.ok()) return read.error();
  if (Status status = KeepDamagedBytes(scanner, bytes, from); !status.ok()) return status;
  std::string holes;
  for (size_t left = bytes.size(); left > 0;) {
    size_t take = std::min(left, kRecordHeaderBytes + kMaxPayloadBytes);
    if (left != take && left - take < kRecordHeaderBytes) take -= kRecordHeaderBytes;
    const std::string_view payload(bytes.data(), take - kRecordHeaderBytes);
    AppendRecord({{scanner.expected(), kHoleType, 0, payload}, kGroupStart}, &holes);
    left -= take;
  }
  auto file = disk_.Open(scanner.path(), Disk::Mode::kWrite);
  if (!file.ok()) return file.error();
  if (Status status = (*file)->Write(from, holes); !status.ok()) return status;
  if (Status status = (*file)->Sync(); !status.ok()) return status;
  found_.holes += 1;
  found_.damaged_bytes += bytes.size();
  return {};
}

Result<LogRecovery> Recoverer::Run() {
  auto files = ListLogFiles(disk_, dir_);
  if (!files.ok()) return files.error();
  files_ = std::move(*files);
  if (Status status = RemoveTornFile(); !status.ok()) return status.error();
  for (size_t i = 0; i < files_.size(); ++i) {
    if (Status status = CheckHeader(i); !status.ok()) return status.error();
    if (!repair_ && i + 1 < files_.size()) continue;
    if (Status status = CheckRecords(i); !status.ok()) return status.error();
  }
  found_.files = files_.size();
  if (!files_.empty()) found_.first_sequence = files_.front();
  return found_;
}

}  // namespace

Result<LogRecovery> RecoverLog(Disk& disk, const std::string& dir, bool repair) {
  return Recoverer(disk, dir, repair).Run();
}

}  // namespace attune
