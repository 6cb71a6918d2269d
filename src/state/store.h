// Snapshots on disk: users' states, shards' positions, and named blobs, in RocksDB.
//
// The log is the source of truth; snapshots avoid replaying it from the start. A shard writes its changed users and its
// position in one batch. A batch that a crash loses is therefore harmless: the shard replays from the previous
// position.
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
  size_t write_buffer_bytes = 32 << 20;  // all of them together; writers wait when they are full
  // Read-only, for inspection, while no other process has the store open. Writes fail with kDenied.
  bool read_only = false;
  // A scratch store: its files are in memory and are lost with it. The folder is only a name in messages.
  bool in_memory = false;
  // A store in memory that starts with the batches of this log and appends its own (state/batch_log.h). Must outlive the
  // store. Null: RocksDB keeps the batches.
  BatchLog* batch_log = nullptr;
};

// Changes that Store::Write applies atomically. A later change of a key overrides an earlier one. One thread at a time.
// Clear keeps its memory, so reuse a batch.
class WriteBatch {
 public:
  WriteBatch();
  ~WriteBatch();
  WriteBatch(WriteBatch&&) noexcept;
  WriteBatch& operator=(WriteBatch&&) noexcept;

  void PutUser(uint8_t shard, std::string_view id, std::string_view blob);
  void DeleteUser(uint8_t shard, std::string_view id);
  void PutShard(uint8_t shard, std::string_view blob);
  // Every user of the shard, its index of histories, and its users whose history became another's.
  void DeleteShard(uint8_t shard);
  // `prefix` is one of keys::kNamed.
  void Put(std::string_view prefix, std::string_view name, std::string_view blob);
  void Delete(std::string_view prefix, std::string_view name);
  // Every name under the prefix that sorts before `name`. The cost does not depend on their number.
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
  // Opens the store in the folder, or creates one. kInvalid: a newer program wrote it. kConflict: another process has
  // it open.
  static Result<std::unique_ptr<Store>> Open(const std::string& dir, const StoreOptions& options = {});

  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Applies the whole batch or nothing, also across a crash. Without `sync` a power cut can lose the newest batches,
  // but never an older one while a newer one survives; a crash of the process alone loses none.
  Status Write(const WriteBatch& batch, bool sync = false);
  // After a failed write: tries to make the store writable again, for instance once disk space has been freed. ok: it
  // is.
  Status Resume();

  // nullopt: no such value.
  Result<std::optional<std::string>> GetShard(uint8_t shard) const;
  Result<std::optional<std::string>> Get(std::string_view prefix, std::string_view name) const;

  // Views are valid during the call. Return false to stop.
  using Visit = std::function<bool(std::string_view name, std::string_view blob)>;
  // All users of the shard in the byte order of their ids, as of this call. Reads ahead and does not fill the cache.
  // Threads may read shards concurrently.
  Status ForEachUser(uint8_t shard, const Visit& visit) const;
  // All names under a prefix of keyspace.h that are equal to `from` or sort after it.
  Status ForEach(std::string_view prefix, const Visit& visit, std::string_view from = {}) const;
  // All names under a prefix that sort before `before`, in descending order.
  Status ForEachBackwards(std::string_view prefix, const Visit& visit, std::string_view before) const;

  // Reads every block and verifies its checksum, for `attune verify`.
  Status Verify() const;

 private:
  struct Rep;
  explicit Store(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace attune
