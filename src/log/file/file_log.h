// The log as files of one folder. One log serves all shards, so that one fdatasync serves all waiting callers (group
// commit).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/workers.h"
#include "log/file/disk.h"
#include "log/file/file_lookup.h"
#include "log/file/recovery.h"
#include "log/log.h"

namespace attune {

struct FileLogOptions {
  // A group that would exceed this size goes to a new file.
  uint64_t max_file_bytes = 256 << 20;
  // Append refuses if more than this many bytes are pending, ...
  size_t max_pending_bytes = 64 << 20;
  // ... or more than the disk makes durable in this time at its recent pace (but at least 1 MiB). So no caller waits
  // much longer.
  std::chrono::milliseconds max_wait{5000};
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
  // Space is reserved this far ahead. A full disk is then detected before the write, and a sync need not journal a new
  // size.
  uint64_t reserve_bytes = 16 << 20;
  // Replaces damaged records by holes instead of refusing to open. Reads every file completely.
  bool repair = false;
  // Runs the thread that writes. Must outlive the log.
  Workers* workers = &Threads();
  // Must outlive the log.
  Disk* disk = &RealDisk();
  LogFollower on_durable;
};

class FileLog : public Log {
 public:
  // Opens the log in the folder, or creates one. Requires the DataLock of the data folder: nothing else excludes a
  // second writer. kCorrupt names the file and the offset of damage; see `repair` and recovery.h.
  static Result<std::unique_ptr<FileLog>> Open(const std::string& dir, FileLogOptions options);

  // Calls Close.
  ~FileLog() override;
  FileLog(const FileLog&) = delete;
  FileLog& operator=(const FileLog&) = delete;

  Status Append(std::span<const LogEntry> entries, Callback callback) override;
  // Also returns reserved space.
  void Close() override;
  uint64_t durable_sequence() const override { return durable_sequence_.load(std::memory_order_acquire); }
  bool failed() const override { return failed_.load(std::memory_order_acquire); }
  Status status() const override;
  bool storage_full() const override { return storage_full_.load(std::memory_order_acquire); }
  size_t pending_bytes() const override;
  Result<std::unique_ptr<LogReader>> NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence) override;
  Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences) override;

  // What Open found and repaired.
  const LogRecovery& recovery() const { return recovery_; }

  // Removes the files whose records are all below `sequence`; never the newest file. Any thread.
  Status RemoveBefore(uint64_t sequence);

 private:
  struct Waiter {
    uint64_t first_sequence;
    Callback callback;
  };
  // One write: filled by Append under mutex_, then owned by the log's thread.
  struct Group {
    std::shared_ptr<RecordBlock> block;  // its records are listed once they are sealed
    std::vector<Waiter> waiters;
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
  };
  class BlockPool;

  FileLog(std::string dir, FileLogOptions options);

  Worker::Next Step();
  void WriteOut(Group group);
  void NotePace(size_t bytes, std::chrono::duration<double> took);
  Group TakeGroup();
  Status WriteGroup(const Group& group);
  Status Rotate(uint64_t first_sequence);
  Status CreateFile(uint64_t first_sequence);
  Status Reserve(uint64_t end);
  Status ZeroAhead(uint64_t written_end, size_t written_bytes);
  Status CutToEnd();
  void Succeed(Group group);
  void FailFull(const Group& group, const Error& error);
  void FailForGood(const Group& group, const Error& error);
  static void Fail(const Group& group, const Error& error);

  const std::string dir_;
  const FileLogOptions options_;
  Disk& disk_;
  LogRecovery recovery_;
  std::unique_ptr<FileLookup> lookup_;
  const std::shared_ptr<BlockPool> pool_;

  mutable std::mutex mutex_;
  Group filling_;                 // guarded by mutex_, as all down to failure_
  uint64_t next_sequence_ = 1;
  size_t pending_bytes_ = 0;  // in filling_ and in the group that is being written
  bool closing_ = false;
  std::optional<Error> failure_;
  size_t most_pending_;  // from the pace of the disk

  std::atomic<uint64_t> durable_sequence_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> storage_full_{false};

  // The log's thread only, from here on.
  std::unique_ptr<DiskFile> file_;
  uint64_t file_first_sequence_ = 0;
  uint64_t end_ = 0;       // of the durable records in file_
  uint64_t reserved_ = 0;  // size of file_
  uint64_t zeroed_ = 0;    // blocks of file_ below this were written before, possibly with zeros
  std::mutex close_mutex_;
  bool closed_ = false;  // guarded by close_mutex_
  std::unique_ptr<Worker> worker_;
};

// Opens a FileLog in the folder with these options and the given follower. `recovery`, unless null, receives what Open
// found, and must outlive that call.
OpenLog FileLogIn(std::string dir, FileLogOptions options, LogRecovery* recovery = nullptr);

}  // namespace attune
