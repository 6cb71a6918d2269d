#include "log/file/file_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "log/file/file_reader.h"
#include "log/file/log_file.h"
#include "log/file/record.h"

namespace attune {
namespace {

// The sync of a write below this size is dominated by the file system's journal, which records each reserved block on
// its first write. So zeros are written after such writes, up to the next multiple of kZeroAheadBytes. Later writes
// then use blocks that were written before, which halves the latency. For larger writes the journal's cost is small.
constexpr size_t kSmallWriteBytes = 64 << 10;
constexpr uint64_t kZeroAheadBytes = 256 << 10;
// Only groups of at least this size measure the disk's pace. The limit of pending bytes that follows from it is never
// below the minimum.
constexpr size_t kPaceSampleBytes = 256 << 10;
constexpr size_t kLeastPendingBytes = 1 << 20;
// Larger buffers are not kept for the next group, so that a burst does not hold its memory forever.
constexpr size_t kKeptBlockBytes = 8 << 20;
constexpr size_t kKeptBlocks = 4;

// A permanent error, whatever the code was: used if a full disk leaves the state of the file unknown.
Error AsIo(const Error& error) { return Error{ErrorCode::kIo, error.message}; }

}  // namespace

// Reuses the memory of blocks that the log and the shard loops have released, since fresh memory of that size costs
// page faults. Shared with the blocks' deleters, which may run after the log is destroyed.
class FileLog::BlockPool : public std::enable_shared_from_this<BlockPool> {
 public:
  std::shared_ptr<RecordBlock> Take() {
    std::unique_ptr<RecordBlock> block;
    {
      std::lock_guard lock(mutex_);
      if (!spare_.empty()) {
        block = std::move(spare_.back());
        spare_.pop_back();
      }
    }
    if (!block) block = std::make_unique<RecordBlock>();
    return {block.release(), [pool = shared_from_this()](RecordBlock* returned) {
              pool->Return(std::unique_ptr<RecordBlock>(returned));
            }};
  }

 private:
  void Return(std::unique_ptr<RecordBlock> block) {
    if (block->bytes.capacity() + block->records.capacity() * sizeof(RecordView) > kKeptBlockBytes) return;
    block->bytes.clear();
    block->records.clear();
    std::lock_guard lock(mutex_);
    if (spare_.size() < kKeptBlocks) spare_.push_back(std::move(block));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<RecordBlock>> spare_;
};

FileLog::FileLog(std::string dir, FileLogOptions options)
    : dir_(std::move(dir)), options_(std::move(options)), disk_(*options_.disk), pool_(std::make_shared<BlockPool>()) {
  filling_.block = pool_->Take();
  most_pending_ = options_.max_pending_bytes;
}

Result<std::unique_ptr<FileLog>> FileLog::Open(const std::string& dir, FileLogOptions options) {
  std::unique_ptr<FileLog> log(new FileLog(dir, std::move(options)));
  if (Status status = log->disk_.MakeDir(dir); !status.ok()) return status.error();
  auto recovery = RecoverLog(log->disk_, dir, log->options_.repair);
  if (!recovery.ok()) return recovery.error();
  log->recovery_ = *recovery;
  if (recovery->newest_file == 0) {
    if (Status status = log->CreateFile(1); !status.ok()) return status.error();
    log->recovery_.newest_file = 1;
    log->recovery_.files = 1;
  } else {
    auto file = log->disk_.Open(LogFilePath(dir, recovery->newest_file), Disk::Mode::kWrite);
    if (!file.ok()) return file.error();
    const auto size = (*file)->Size();
    if (!size.ok()) return size.error();
    log->file_ = std::move(*file);
    log->file_first_sequence_ = recovery->newest_file;
    log->end_ = log->zeroed_ = recovery->end_offset;
    log->reserved_ = *size;
  }
  auto lookup = FileLookup::Open(dir, &log->disk_);
  if (!lookup.ok()) return lookup.error();
  log->lookup_ = std::move(lookup).value();
  log->durable_sequence_ = recovery->last_sequence;
  log->next_sequence_ = recovery->last_sequence + 1;
  log->worker_ = log->options_.workers->Start("attune-log", [raw = log.get()] { return raw->Step(); });
  return log;
}

FileLog::~FileLog() { Close(); }

void FileLog::Close() {
  std::lock_guard close_lock(close_mutex_);
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  if (std::exchange(closed_, true)) return;
  if (worker_) {  // otherwise Open failed
    worker_->Wake();
    worker_->Join();
  }
  // Returns the reserved space. If that fails, the next Open recognises the zeros as reserved space.
  if (file_ && !failed()) (void)CutToEnd();
}

Worker::Next FileLog::Step() {
  Group group;
  {
    std::lock_guard lock(mutex_);
    if (filling_.block->bytes.empty()) return closing_ ? Worker::Next::Done() : Worker::Next::WhenWoken();
    group = TakeGroup();
  }
  WriteOut(std::move(group));
  return Worker::Next::Now();
}

Status FileLog::Append(std::span<const LogEntry> entries, Callback callback) {
  size_t added = 0;
  for (const LogEntry& entry : entries) {
    if (entry.type == kHoleType) return Error{ErrorCode::kInvalid, "record type 0 is a hole"};
    if (entry.payload.size() > kMaxPayloadBytes) {
      return Error{ErrorCode::kInvalid, fmt::format("a record of {} bytes is above the limit of {}",
                                                    entry.payload.size(), kMaxPayloadBytes)};
    }
    added += kRecordHeaderBytes + entry.payload.size();
  }
  if (added == 0 || added > options_.max_pending_bytes) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("an append of {} bytes; the limits are 1 and {}", added, options_.max_pending_bytes)};
  }
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    if (failure_) return *failure_;
    if (closing_) return Error{ErrorCode::kUnavailable, "the log is closed"};
    if (pending_bytes_ > 0 && pending_bytes_ + added > most_pending_) {
      return Error{ErrorCode::kUnavailable, fmt::format("{} bytes are already waiting for the disk", pending_bytes_)};
    }
    pending_bytes_ += added;
    was_empty = filling_.block->bytes.empty();
    if (was_empty) filling_.first_sequence = next_sequence_;
    filling_.waiters.push_back({next_sequence_, std::move(callback)});
    for (const LogEntry& entry : entries) {
      const uint16_t flags = filling_.block->bytes.empty() ? kGroupStart : 0;
      AppendUnsealed({{next_sequence_++, entry.type, entry.shard, entry.payload}, flags}, &filling_.block->bytes);
    }
    filling_.last_sequence = next_sequence_ - 1;
  }
  // Otherwise the log's thread is awake or about to check.
  if (was_empty) worker_->Wake();
  return {};
}

Status FileLog::status() const {
  std::lock_guard lock(mutex_);
  return failure_ ? Status(*failure_) : Status();
}

size_t FileLog::pending_bytes() const {
  std::lock_guard lock(mutex_);
  return pending_bytes_;
}

Result<std::unique_ptr<LogReader>> FileLog::NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence) {
  return NewFileReader(dir_, from_sequence, {.last_sequence = last_sequence.value_or(durable_sequence()), .disk = &disk_});
}

Result<std::vector<std::optional<FoundRecord>>> FileLog::Read(std::span<const uint64_t> sequences) { return lookup_->Read(sequences); }

// Requires mutex_.
FileLog::Group FileLog::TakeGroup() {
  Group group = std::exchange(filling_, Group());
  filling_.block = pool_->Take();
  return group;
}

// The time of a small group measures the latency of a sync, not the throughput of the disk.
void FileLog::NotePace(size_t bytes, std::chrono::duration<double> took) {
  if (bytes < kPaceSampleBytes) return;
  const double wait = std::chrono::duration<double>(options_.max_wait).count();
  const double most = static_cast<double>(bytes) / std::max(took.count(), 1e-6) * wait;
  const std::lock_guard lock(mutex_);
  most_pending_ = most >= static_cast<double>(options_.max_pending_bytes)
                      ? options_.max_pending_bytes
                      : std::min(options_.max_pending_bytes, std::max(kLeastPendingBytes, static_cast<size_t>(most)));
}

void FileLog::WriteOut(Group group) {
  SealRecords(group.block.get());  // not in Append, which holds the lock that all appends share
  const auto began = options_.steady();
  const Status status = WriteGroup(group);
  if (status.ok()) {
    NotePace(group.block->bytes.size(), options_.steady() - began);
    Succeed(std::move(group));
  } else if (status.error().code == ErrorCode::kUnavailable) {
    FailFull(group, status.error());
  } else {
    FailForGood(group, status.error());
  }
}

// kUnavailable: storage is full, and the file ends at the last durable record. Other errors: the state of the file is
// unknown.
Status FileLog::WriteGroup(const Group& group) {
  const std::string& bytes = group.block->bytes;
  if (end_ > kFileHeaderBytes && end_ + bytes.size() > options_.max_file_bytes) {
    if (Status status = Rotate(group.first_sequence); !status.ok()) return status;
  }
  const uint64_t new_end = end_ + bytes.size();
  if (Status status = Reserve(new_end); !status.ok()) return status;
  Status written = file_->Write(end_, bytes);
  if (written.ok()) written = ZeroAhead(new_end, bytes.size());
  if (!written.ok()) {
    if (written.error().code != ErrorCode::kUnavailable) return written;
    // Nothing of the group was synced, so it can be undone.
    if (Status status = CutToEnd(); !status.ok()) return status;
    return written;
  }
  if (Status status = file_->Sync(); !status.ok()) return AsIo(status.error());
  end_ = new_end;
  return {};
}

Status FileLog::ZeroAhead(uint64_t written_end, size_t written_bytes) {
  if (written_end <= zeroed_) return {};
  zeroed_ = written_end;
  if (written_bytes >= kSmallWriteBytes) return {};
  const uint64_t target = std::min(reserved_, (written_end / kZeroAheadBytes + 1) * kZeroAheadBytes);
  if (target <= written_end) return {};
  static const std::string zeros(kZeroAheadBytes, '\0');
  zeroed_ = target;
  return file_->Write(written_end, std::string_view(zeros).substr(0, target - written_end));
}

// Durably truncates the file to the last durable record, which also returns reserved space.
Status FileLog::CutToEnd() {
  reserved_ = zeroed_ = end_;
  if (Status status = file_->Truncate(end_); !status.ok()) return AsIo(status.error());
  if (Status status = file_->Sync(); !status.ok()) return AsIo(status.error());
  return {};
}

Status FileLog::Reserve(uint64_t end) {
  if (end <= reserved_) return {};
  const uint64_t ahead = std::max(end, std::min(end + options_.reserve_bytes, options_.max_file_bytes));
  Status status = file_->Allocate(ahead);
  uint64_t reserved = ahead;
  if (!status.ok() && status.error().code == ErrorCode::kUnavailable) {
    status = file_->Allocate(end);  // reserve only what this group needs, if the disk has no more
    reserved = end;
  }
  if (status.ok()) {
    reserved_ = reserved;
    return {};
  }
  if (status.error().code != ErrorCode::kUnavailable) return status;
  if (Status cut = CutToEnd(); !cut.ok()) return cut;
  return status;
}

// The old file is complete, without reserved space, before the new one exists.
Status FileLog::Rotate(uint64_t first_sequence) {
  if (Status status = CutToEnd(); !status.ok()) return status;
  return CreateFile(first_sequence);
}

// On failure nothing changes, unless the file and its name are durable.
Status FileLog::CreateFile(uint64_t first_sequence) {
  const std::string path = LogFilePath(dir_, first_sequence);
  auto file = disk_.Open(path, Disk::Mode::kCreate);
  if (!file.ok()) return file.error();
  const Status written = (*file)->Write(0, EncodeFileHeader({first_sequence, file_first_sequence_}));
  if (!written.ok()) {
    // If it stays, the next Open removes the empty file, or the next attempt truncates it.
    const Status removed = disk_.Remove(path);
    return removed.ok() ? written : AsIo(removed.error());
  }
  if (Status status = (*file)->Sync(); !status.ok()) return AsIo(status.error());
  if (Status status = disk_.SyncDir(dir_); !status.ok()) return AsIo(status.error());
  file_ = std::move(*file);
  file_first_sequence_ = first_sequence;
  end_ = reserved_ = zeroed_ = kFileHeaderBytes;
  return {};
}

void FileLog::Succeed(Group group) {
  {
    std::lock_guard lock(mutex_);
    pending_bytes_ -= group.block->bytes.size();
  }
  storage_full_.store(false, std::memory_order_release);
  lookup_->Note(file_first_sequence_, group.first_sequence, end_ - group.block->bytes.size());
  if (options_.on_durable) options_.on_durable(std::move(group.block));
  durable_sequence_.store(group.last_sequence, std::memory_order_release);
  for (const Waiter& waiter : group.waiters) {
    if (waiter.callback) waiter.callback({}, waiter.first_sequence);
  }
}

void FileLog::Fail(const Group& group, const Error& error) {
  for (const Waiter& waiter : group.waiters) {
    if (waiter.callback) waiter.callback(error, waiter.first_sequence);
  }
}

// Later appends have sequences after the failed ones, so they fail too. Sequences then continue from the last durable
// one.
void FileLog::FailFull(const Group& group, const Error& error) {
  Group after;
  {
    std::lock_guard lock(mutex_);
    after = TakeGroup();
    next_sequence_ = group.first_sequence;
    pending_bytes_ = 0;
  }
  storage_full_.store(true, std::memory_order_release);
  Fail(group, error);
  Fail(after, error);
}

void FileLog::FailForGood(const Group& group, const Error& error) {
  Group after;
  {
    std::lock_guard lock(mutex_);
    after = TakeGroup();
    failure_ = AsIo(error);
    pending_bytes_ = 0;
  }
  failed_.store(true, std::memory_order_release);
  Fail(group, AsIo(error));
  Fail(after, AsIo(error));
}

Status FileLog::RemoveBefore(uint64_t sequence) {
  auto files = ListLogFiles(disk_, dir_);
  if (!files.ok()) return files.error();
  bool removed = false;
  // Oldest first, so that a crash leaves no gap.
  for (size_t i = 0; i + 1 < files->size() && (*files)[i + 1] <= sequence; ++i) {
    if (Status status = disk_.Remove(LogFilePath(dir_, (*files)[i])); !status.ok()) return status;
    removed = true;
  }
  return removed ? disk_.SyncDir(dir_) : Status();
}

OpenLog FileLogIn(std::string dir, FileLogOptions options, LogRecovery* recovery) {
  return [dir = std::move(dir), options = std::move(options), recovery](LogFollower follower) -> Result<std::unique_ptr<Log>> {
    FileLogOptions with = options;
    with.on_durable = std::move(follower);
    auto log = FileLog::Open(dir, std::move(with));
    if (!log.ok()) return log.error();
    if (recovery) *recovery = (*log)->recovery();
    return std::unique_ptr<Log>(std::move(log).value());
  };
}

}  // namespace attune
