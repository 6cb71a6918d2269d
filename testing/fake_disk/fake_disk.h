// A disk in memory that can lose power, run full and fail on request: for tests and the simulator.
//
// It is as unkind as the rules allow: what was not synced is gone after a crash, names that were
// created without a SyncDir too, and names that were removed without one come back.
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

// Threads: any. Files that were open at a crash fail every later call.
class FakeDisk : public Disk {
 public:
  enum class Op { kOpen, kRead, kWrite, kSync, kTruncate, kAllocate, kRemove, kSyncDir };

  Result<std::unique_ptr<DiskFile>> Open(const std::string& path, Mode mode) override;
  Status MakeDir(const std::string& dir) override;
  Result<std::vector<std::string>> List(const std::string& dir) override;
  Status Remove(const std::string& path) override;
  Status SyncDir(const std::string& dir) override;

  // The process was killed: files that were open fail from now on; what was written stays, synced or not.
  void Kill();
  // Power cuts. Each drops what was not synced, except for what its argument keeps.
  void Crash();
  // Of the writes to each file since its last sync, the first `bytes` bytes arrived, in the order
  // of the writes.
  void CrashKeepingBytes(uint64_t bytes);
  // Each 512-byte sector of these writes arrived or not, by `keep(file offset of the sector)`.
  void CrashKeepingSectors(const std::function<bool(uint64_t)>& keep);

  // The call of this kind after `after` more of them fails, once, with this error. A write does
  // `partial` bytes first.
  void FailAfter(Op op, int after, Error error, size_t partial = 0);
  // None of those that are still to come does.
  void ClearFaults();
  // While held, none happens and no call counts: whoever looks at the disk meanwhile changes nothing.
  void HoldFaults(bool held);
  // From now on syncs say that they are done and do nothing.
  void LieAboutSyncs();
  // Writes and reservations fail with kUnavailable when all files together would grow beyond this.
  void SetCapacity(uint64_t bytes);
  // While held, syncs wait. Release before joining a thread that syncs.
  void HoldSyncs();
  void ReleaseSyncs();
  // Returns when a sync waits.
  void AwaitHeldSync();
  // How many calls of this kind there were.
  int calls(Op op) const;
  // How many bytes were read, while faults were not held.
  uint64_t bytes_read() const;

  // The bytes of a file, to look at and to damage. The file exists.
  std::string Content(const std::string& path) const;
  void SetContent(const std::string& path, std::string bytes);
  std::vector<std::string> Paths() const;
  // A disk with the same files, all of them durable.
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
