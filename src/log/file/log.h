// The ordered durable log of all shards: what is accepted is here first, and everything else can be
// rebuilt from it. One log serves all shards so that one fdatasync serves everybody who waits
// (group commit).
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
#include "log/file/record.h"
#include "log/file/recovery.h"

namespace attune {

// What one write and one sync made durable: whole records, one after the other, to be read with
// TakeRecord.
struct DurableBlock {
  // Shared, because several shard loops read the same block, each at its pace. Its memory is used
  // again when the last of them lets go, so holding on to old blocks costs memory; pending bytes do
  // not count them.
  std::shared_ptr<const std::string> bytes;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  // Where they lie: the file, by the first sequence in its name, and the offset of the first of them.
  uint64_t file_first_sequence = 0;
  uint64_t offset = 0;
};

struct LogEntry {
  uint8_t type = 0;  // not 0, which is a hole
  uint8_t shard = 0;
  std::string_view payload;
};

struct LogOptions {
  // A group that would make the file larger goes to a new one.
  uint64_t max_file_bytes = 256 << 20;
  // Beyond this many bytes appended and not yet durable, Append refuses at once, ...
  size_t max_pending_bytes = 64 << 20;
  // ... and beyond so many as the disk, at its pace of late, makes durable in this time (but not for less than 1 MiB): so
  // nobody waits much longer.
  std::chrono::milliseconds max_wait{5000};
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
  // Space is reserved this far ahead: a full disk shows before the write, and a sync needs not
  // journal a new size.
  uint64_t reserve_bytes = 16 << 20;
  // Replace damaged records by holes instead of refusing to open; reads every file whole.
  bool repair = false;
  // Write beside the callers of Append. Must outlive the log.
  Workers* workers = &Threads();
  // Must outlive the log.
  Disk* disk = &RealDisk();
  // Called on the log's thread with each block that became durable, in order, before the callbacks
  // of its appends. Must not wait for the log.
  std::function<void(const DurableBlock&)> on_durable;
};

// Threads: Append and the readers of state may be called from any thread. Callbacks run on the
// log's own thread, in the order of the appends; they may call Append, must not wait for the log,
// and must not throw.
//
// A failed append (its callback got an error) leaves nothing in the log that runs on. After a crash
// its records may be found all the same, if the crash came between their write and the report: as
// with any lost answer, the sender asks again and the receiver knows ids.
class Log {
 public:
  // ok: the records are durable, the first has `first_sequence`, the others follow without gaps.
  // kUnavailable: storage is full; nothing was appended, try again later. kIo: the log has failed,
  // see failed().
  using Callback = std::function<void(const Status&, uint64_t first_sequence)>;

  // Opens the log in the folder, or begins one. Hold the DataLock of the data folder: nothing here
  // keeps a second writer out. kCorrupt names the file and the offset of damage; see `repair` and
  // recovery.h.
  static Result<std::unique_ptr<Log>> Open(const std::string& dir, LogOptions options);

  // Close().
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Copies the records and returns; does not wait for the disk. The callback comes later, once,
  // unless Append itself fails:
  // kUnavailable  too much is pending, or the log is closed: answer 429 or 503
  // kIo           the log has failed
  // kInvalid      no entries, type 0, a payload above kMaxPayloadBytes, or more than
  //               max_pending_bytes in one call
  Status Append(std::span<const LogEntry> entries, Callback callback);

  // Waits until everything appended is durable or has failed, then gives reserved space back. Later
  // appends are refused.
  void Close();

  // What Open found and did.
  const LogRecovery& recovery() const { return recovery_; }
  // The last durable record, 0 when there is none: what a LogReader may read up to while the log
  // runs. It rises after on_durable has returned from the record's block, and before the callback of
  // its append: whoever reads a sequence here finds on_durable to have its block. What on_durable
  // hands the block to may be ahead of this for a moment.
  uint64_t durable_sequence() const { return durable_sequence_.load(std::memory_order_acquire); }
  // After an I/O error the log accepts nothing more: which of the last bytes are on the disk is
  // known only after another Open. Answer what is in flight, then end the process with an error.
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // The reason once failed(), else ok.
  Status status() const;
  // True while the last write found no space.
  bool storage_full() const { return storage_full_.load(std::memory_order_acquire); }
  size_t pending_bytes() const;

  // Removes the files all of whose records are below `sequence`; never the newest file. From any
  // thread.
  Status RemoveBefore(uint64_t sequence);

 private:
  struct Waiter {
    uint64_t first_sequence;
    Callback callback;
  };
  // What goes out in one write: filled by Append under mutex_, then owned by the log's thread.
  struct Group {
    std::shared_ptr<std::string> bytes;
    std::vector<Waiter> waiters;
    uint64_t first_sequence = 0;
    uint64_t last_sequence = 0;
  };
  class BlockPool;

  Log(std::string dir, LogOptions options);

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
  const LogOptions options_;
  Disk& disk_;
  LogRecovery recovery_;
  const std::shared_ptr<BlockPool> pool_;

  mutable std::mutex mutex_;
  Group filling_;                 // guarded by mutex_, as all down to failure_
  uint64_t next_sequence_ = 1;
  size_t pending_bytes_ = 0;  // in filling_ and in the group that is being written
  bool closing_ = false;
  std::optional<Error> failure_;
  size_t most_pending_;  // by the pace of the disk

  std::atomic<uint64_t> durable_sequence_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> storage_full_{false};

  // The log's thread alone, from here on.
  std::unique_ptr<DiskFile> file_;
  uint64_t file_first_sequence_ = 0;
  uint64_t end_ = 0;       // of the durable records in file_
  uint64_t reserved_ = 0;  // size of file_
  uint64_t zeroed_ = 0;    // blocks of file_ below this were written before, if only with zeros
  std::mutex close_mutex_;
  bool closed_ = false;  // guarded by it
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
