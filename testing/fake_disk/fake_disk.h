// A disk in memory that can lose power, run full and fail on request: for tests and the simulator.
//
// It behaves as badly as the rules allow: after a crash, unsynced data is lost, names created without a SyncDir are
// gone, and names removed without one are back.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "log/file/disk.h"

namespace attune {

// Any thread. Files that were open at a crash fail every later call.
class FakeDisk : public Disk {
 public:
  enum class Op { kOpen, kRead, kWrite, kSync, kTruncate, kAllocate, kRemove, kSyncDir };

  Result<std::unique_ptr<DiskFile>> Open(const std::string& path, Mode mode) override;
  Status MakeDir(const std::string& dir) override;
  Result<std::vector<std::string>> List(const std::string& dir) override;
  Status Remove(const std::string& path) override;
  Status SyncDir(const std::string& dir) override;

  // The process was killed: open files fail from now on; what was written stays, synced or not.
  void Kill();
  // Power cuts. Each drops unsynced data, except what its argument keeps.
  void Crash();
  // Keeps the first `bytes` bytes of the writes to each file since its last sync, in the order of the writes.
  void CrashKeepingBytes(uint64_t bytes);
  // Keeps each 512-byte sector of these writes for which `keep(file offset of the sector)` is true.
  void CrashKeepingSectors(const std::function<bool(uint64_t)>& keep);

  // The call of this kind after `after` more of them fails once with this error. A write first writes `partial` bytes.
  void FailAfter(Op op, int after, Error error, size_t partial = 0);
  // Cancels pending injected faults.
  void ClearFaults();
  // While held, no fault happens and no call counts, so that an observer of the disk changes nothing.
  void SuspendFaults(bool held);
  // From now on syncs succeed without doing anything.
  void IgnoreSyncs();
  // Writes and reservations fail with kUnavailable if all files together would exceed this.
  void SetCapacity(uint64_t bytes);
  // While held, syncs block. Release them before joining a thread that syncs.
  void HoldSyncs();
  void ReleaseSyncs();
  // Returns when a sync is blocked.
  void AwaitHeldSync();
  // The number of calls of this kind.
  int calls(Op op) const;
  // The number of bytes read while faults were not held.
  uint64_t bytes_read() const;

  // The bytes of a file, to inspect and to damage. The file must exist.
  std::string Content(const std::string& path) const;
  void SetContent(const std::string& path, std::string bytes);
  std::vector<std::string> Paths() const;
  // Returns a disk with the same files, all of them durable.
  std::unique_ptr<FakeDisk> Clone() const;

 private:
  friend class FakeFile;

  struct Change {
    enum Kind { kWrite, kResize } kind;
    uint64_t offset;  // or the new size
    std::string bytes;
  };
  struct Inode {
    std::string content;
    std::string durable;
    std::vector<Change> unsynced;
  };
  struct Fault {
    Op op;
    int after;
    Error error;
    size_t partial;
  };

  static void Apply(const Change& change, std::string* bytes);
  std::optional<Fault> Count(Op op);
  uint64_t Used() const;
  void CrashWith(const std::function<void(Inode&)>& arrive);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::shared_ptr<Inode>> names_;
  std::map<std::string, std::shared_ptr<Inode>> durable_names_;
  std::set<std::string> dirs_;
  std::vector<Fault> faults_;
  std::map<Op, int> calls_;
  uint64_t bytes_read_ = 0;
  bool faults_held_ = false;
  uint64_t capacity_ = UINT64_MAX;
  uint64_t generation_ = 0;  // crashes so far
  bool syncs_lie_ = false;
  bool syncs_held_ = false;
  int syncs_waiting_ = 0;
};

}  // namespace attune
