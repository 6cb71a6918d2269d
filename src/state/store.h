// Snapshots on disk: users' states, shards' positions, and named blobs, in RocksDB.
//
// The log is the truth; this is a picture of it that saves replaying from the start. A shard writes
// its changed users and its position in one batch. So a batch that is lost in a crash is no loss:
// the shard replays from the position before it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace attune {

class BatchLog;

struct StoreOptions {
  // Memory is bounded by the sum of these two, about 50 MiB with the defaults, and the store's own overhead of a few MiB.
  size_t block_cache_bytes = 16 << 20;   // blocks, indexes and filters of the files
  size_t write_buffer_bytes = 32 << 20;  // all of them together; writers wait while they are full
  // Only read, beside nobody: for inspection. Writes fail with kDenied.
  bool read_only = false;
  // A scratch store: its files lie in memory and are gone with it. The folder is only a name in messages.
  bool in_memory = false;
  // A store in memory that starts with the batches of this log and appends its own (state/batch_log.h). Must outlive the
  // store. Null: RocksDB keeps the batches.
  BatchLog* batch_log = nullptr;
};

// Changes that Store::Write makes together or not at all. Later ones win over earlier ones of the
// same key. One thread at a time. Its memory is kept over Clear, so use one again and again.
class WriteBatch {
 public:
  WriteBatch();
  ~WriteBatch();
  WriteBatch(WriteBatch&&) noexcept;
  WriteBatch& operator=(WriteBatch&&) noexcept;

  void PutUser(uint8_t shard, std::string_view id, std::string_view blob);
  void DeleteUser(uint8_t shard, std::string_view id);
  void PutShard(uint8_t shard, std::string_view blob);
  // Every user of the shard, its index of histories, and the users who ended in it.
  void DeleteShard(uint8_t shard);
  // `prefix` is one of keys::kNamed.
  void Put(std::string_view prefix, std::string_view name, std::string_view blob);
  void Delete(std::string_view prefix, std::string_view name);
  // Every name under the prefix that sorts before `name`, however many they are.
  void DeleteBelow(std::string_view prefix, std::string_view name);

  void Clear();
  bool empty() const;

 private:
  friend class Store;
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

// Threads: all methods may be called from any thread. They block on the disk.
// Errors: kIo, kUnavailable when storage is full, kCorrupt when stored bytes fail their checksum.
class Store {
 public:
  // Opens the store in the folder, or makes one. kInvalid: a newer program wrote it. kConflict:
  // another process has it.
  static Result<std::unique_ptr<Store>> Open(const std::string& dir, const StoreOptions& options = {});

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // All of the batch or nothing, also after a crash. Without `sync` a power cut can lose the newest
  // batches, but never an older one while a newer one is kept; a crash of the process alone loses
  // none.
  Status Write(const WriteBatch& batch, bool sync = false);
  // After a failed write: tries to get the store into a state in which it takes writes again, as it may be when space has
  // come back. ok: it is.
  Status Resume();

  // nullopt: there is none.
  Result<std::optional<std::string>> GetShard(uint8_t shard) const;
  Result<std::optional<std::string>> Get(std::string_view prefix, std::string_view name) const;

  // Views are valid during the call. Return false to stop.
  using Visit = std::function<bool(std::string_view name, std::string_view blob)>;
  // All users of the shard in the order of their ids' bytes, as they were when this was called.
  // Reads ahead and leaves the cache alone. Shards may be read by several threads beside each
  // other.
  Status ForEachUser(uint8_t shard, const Visit& visit) const;
  // All names under a prefix of keys.h that begin with `from` or sort after it.
  Status ForEach(std::string_view prefix, const Visit& visit, std::string_view from = {}) const;
  // All names under a prefix that sort before `before`, the last first.
  Status ForEachBackwards(std::string_view prefix, const Visit& visit, std::string_view before) const;

  // Reads every block and checks it: for `attune verify`.
  Status Verify() const;

 private:
  struct Rep;
  explicit Store(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace attune
