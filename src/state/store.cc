#include "state/store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "state/batch_log.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// Only this many files stay open, each with its index in the cache. This bounds memory for any number of users.
constexpr int kOpenFiles = 256;
constexpr size_t kReadaheadBytes = 2 << 20;
// RocksDB drops its write-ahead logs with its write buffers; this bounds them when the buffers fill unevenly.
constexpr uint64_t kBatchLogBytes = 64 << 20;

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Error Convert(const rocksdb::Status& status, const std::string& dir) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNoSpace()) code = ErrorCode::kUnavailable;
  if (status.IsNotSupported()) code = ErrorCode::kDenied;
  const std::string text = status.ToString();
  // RocksDB has no code for a lock held by another process, only the messages "lock hold by current process … DIR/LOCK:
  // …" and "While lock file: DIR/LOCK: …".
  const bool locked =
      status.IsIOError() && text.find("lock ") != std::string::npos && text.find("/LOCK: ") != std::string::npos;
  if (locked) code = ErrorCode::kConflict;
  return Error{code, fmt::format("{}: {}{}", dir, status.IsNoSpace() ? "storage full: " : "", text)};
}

Status ToStatus(const rocksdb::Status& status, const std::string& dir) {
  return status.ok() ? Status() : Status(Convert(status, dir));
}

rocksdb::Options Tuned(const StoreOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, 2);
  table.block_size = 16 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In the cache, so that its size bounds them too.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;

  rocksdb::Options tuned;
  tuned.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  tuned.create_if_missing = true;
  // The default depends on how RocksDB was compiled.
  tuned.fail_if_options_file_error = true;
  tuned.compression = rocksdb::kLZ4Compression;
  tuned.write_buffer_size = options.write_buffer_bytes / 4;
  tuned.max_write_buffer_number = 4;
  tuned.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes, nullptr, true);
  tuned.max_total_wal_size = kBatchLogBytes;
  tuned.target_file_size_base = 32 << 20;
  tuned.max_bytes_for_level_base = 128 << 20;
  tuned.max_open_files = kOpenFiles;
  tuned.max_background_jobs = 2;
  tuned.compaction_readahead_size = kReadaheadBytes;
  tuned.bytes_per_sync = 1 << 20;
  tuned.keep_log_file_num = 2;
  tuned.max_log_file_size = 1 << 20;
  tuned.stats_dump_period_sec = 0;
  // Batches are atomic; after a power cut, the batches before the first damaged one are recovered.
  tuned.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return tuned;
}

// RocksDB 7.8 aborts on an assertion when an open runs out of space halfway. So the disk must have room for what an
// open writes: a few small files, and the contents of the write-ahead logs again as tables.
Status CheckRoom(const std::string& dir) {
  uint64_t free = 0;
  if (!rocksdb::Env::Default()->GetFreeSpace(dir, &free).ok()) return {};  // the file system does not report it
  uint64_t needed = 1 << 20;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".log") needed += it->file_size(error);
  }
  if (free >= needed) return {};
  return Error{ErrorCode::kUnavailable,
               fmt::format("{}: storage full: {} bytes are free, and a start needs {}", dir, free, needed)};
}

void CheckNamed(std::string_view prefix) {
  const bool known = std::find(std::begin(keys::kNamed), std::end(keys::kNamed), prefix) != std::end(keys::kNamed);
  ATTUNE_CHECK(known, "named blobs live under the prefixes of keyspace.h");
}

}  // namespace

struct WriteBatch::Rep {
  rocksdb::WriteBatch batch;
};

WriteBatch::WriteBatch() : rep_(std::make_unique<Rep>()) {}
WriteBatch::~WriteBatch() = default;
WriteBatch::WriteBatch(WriteBatch&&) noexcept = default;
WriteBatch& WriteBatch::operator=(WriteBatch&&) noexcept = default;

void WriteBatch::PutUser(uint8_t shard, std::string_view id, std::string_view blob) {
  rep_->batch.Put(keys::User(shard, id), ToSlice(blob));
}
void WriteBatch::DeleteUser(uint8_t shard, std::string_view id) { rep_->batch.Delete(keys::User(shard, id)); }
void WriteBatch::PutShard(uint8_t shard, std::string_view blob) { rep_->batch.Put(keys::Shard(shard), ToSlice(blob)); }
void WriteBatch::DeleteShard(uint8_t shard) {
  for (const std::string_view prefix : {keys::kUsers, keys::kHistory, keys::kEnded}) {
    const std::string first = keys::Named(prefix, std::string_view(reinterpret_cast<const char*>(&shard), 1));
    std::string behind = first;
    // No shard has the highest number that a byte can hold.
    behind.back() = static_cast<char>(shard + 1);
    rep_->batch.DeleteRange(first, behind);
  }
}
void WriteBatch::Put(std::string_view prefix, std::string_view name, std::string_view blob) {
  CheckNamed(prefix);
  rep_->batch.Put(keys::Named(prefix, name), ToSlice(blob));
}
void WriteBatch::Delete(std::string_view prefix, std::string_view name) {
  CheckNamed(prefix);
  rep_->batch.Delete(keys::Named(prefix, name));
}
void WriteBatch::DeleteBelow(std::string_view prefix, std::string_view name) {
  CheckNamed(prefix);
  rep_->batch.DeleteRange(ToSlice(prefix), keys::Named(prefix, name));
}
void WriteBatch::Clear() { rep_->batch.Clear(); }
bool WriteBatch::empty() const { return rep_->batch.Count() == 0; }

struct Store::Rep {
  std::string dir;
  bool read_only = false;
  BatchLog* batch_log = nullptr;
  std::unique_ptr<rocksdb::Env> env;  // of a store in memory
  std::unique_ptr<rocksdb::DB> db;

  Result<std::optional<std::string>> Get(const std::string& key) const;
  Status Visit(const std::string& prefix, std::string_view from, bool whole, const Store::Visit& visit) const;
  Status CheckVersion();
  Status WriteVersion();
};

Result<std::optional<std::string>> Store::Rep::Get(const std::string& key) const {
  std::string value;
  const rocksdb::Status status = db->Get(rocksdb::ReadOptions(), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return Convert(status, dir);
  return std::optional<std::string>(std::move(value));
}

Status Store::Rep::Visit(const std::string& prefix, std::string_view from, bool whole,
                         const Store::Visit& visit) const {
  // No prefix is all 0xff, so the end of its range is at least one byte long.
  std::string end = prefix;
  while (static_cast<uint8_t>(end.back()) == 0xff) end.pop_back();
  end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  const rocksdb::Slice upper_bound(end);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &upper_bound;
  if (whole) {
    read.readahead_size = kReadaheadBytes;
    read.fill_cache = false;
  }
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(read));
  for (it->Seek(prefix + std::string(from)); it->Valid(); it->Next()) {
    if (!visit(ToView(it->key()).substr(prefix.size()), ToView(it->value()))) return {};
  }
  return ToStatus(it->status(), dir);
}

Status Store::Rep::CheckVersion() {
  auto stored = Get(std::string(keys::kVersion));
  if (!stored.ok()) return stored.error();
  if (!*stored) return WriteVersion();
  const std::string& text = **stored;
  uint32_t version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: the format version is unreadable", dir)};
  }
  if (version > keys::kStoreVersion) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("{}: format version {} is newer than this program reads ({}): use the "
                             "newer program that wrote it",
                             dir, version, keys::kStoreVersion)};
  }
  if (version == keys::kStoreVersion) return {};
  // The shards rebuild their state, and what an older program did not keep, from the log.
  if (!read_only && version < keys::kShardsSinceVersion) {
    const auto status = db->DeleteRange(rocksdb::WriteOptions(), db->DefaultColumnFamily(), ToSlice(keys::kShards), "s0");
    if (!status.ok()) return Convert(status, dir);
  }
  return WriteVersion();
}

// After this, older programs refuse the store.
Status Store::Rep::WriteVersion() {
  if (read_only) return {};
  rocksdb::WriteOptions write;
  write.sync = true;
  return ToStatus(db->Put(write, ToSlice(keys::kVersion), std::to_string(keys::kStoreVersion)), dir);
}

Store::Store(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const std::string& dir, const StoreOptions& options) {
  auto rep = std::make_unique<Rep>();
  rep->dir = dir;
  rep->read_only = options.read_only;
  rep->batch_log = options.batch_log;
  const bool in_memory = options.in_memory || options.batch_log;
  rocksdb::Options tuned = Tuned(options);
  if (in_memory) {
    rep->env.reset(rocksdb::NewMemEnv(rocksdb::Env::Default()));
    tuned.env = rep->env.get();
  }
  rocksdb::DB* db = nullptr;
  rocksdb::Status status;
  if (options.read_only) {
    status = rocksdb::DB::OpenForReadOnly(tuned, dir, &db);
  } else {
    std::error_code error;
    if (!in_memory) std::filesystem::create_directories(dir, error);
    if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", dir, error.message())};
    if (Status room = in_memory ? Status() : CheckRoom(dir); !room.ok()) return room.error();
    status = rocksdb::DB::Open(tuned, in_memory ? "/" + dir : dir, &db);
  }
  if (!status.ok()) return Convert(status, dir);
  rep->db.reset(db);
  if (options.batch_log) {
    const Status applied = options.batch_log->ForEach([&](std::string_view kept) {
      rocksdb::WriteBatch batch{std::string(kept)};
      return ToStatus(db->Write(rocksdb::WriteOptions(), &batch), dir);
    });
    if (!applied.ok()) return applied.error();
  }
  if (Status checked = rep->CheckVersion(); !checked.ok()) return checked.error();
  return std::unique_ptr<Store>(new Store(std::move(rep)));
}

Status Store::Write(const WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions write;
  write.sync = sync;
  if (rep_->batch_log) {
    if (Status appended = rep_->batch_log->Append(batch.rep_->batch.Data(), sync); !appended.ok()) return appended;
  }
  // RocksDB writes its sequence into the batch header and leaves the entries unchanged.
  return ToStatus(rep_->db->Write(write, &batch.rep_->batch), rep_->dir);
}

Status Store::Resume() {
  if (rep_->batch_log) {
    if (Status resumed = rep_->batch_log->Resume(); !resumed.ok()) return resumed;
  }
  return ToStatus(rep_->db->Resume(), rep_->dir);
}

Result<std::optional<std::string>> Store::GetShard(uint8_t shard) const { return rep_->Get(keys::Shard(shard)); }
Result<std::optional<std::string>> Store::Get(std::string_view prefix, std::string_view name) const {
  CheckNamed(prefix);
  return rep_->Get(keys::Named(prefix, name));
}

Status Store::ForEachUser(uint8_t shard, const Visit& visit) const {
  return rep_->Visit(keys::UsersOf(shard), {}, true, visit);
}
Status Store::ForEach(std::string_view prefix, const Visit& visit, std::string_view from) const {
  CheckNamed(prefix);
  return rep_->Visit(std::string(prefix), from, false, visit);
}
Status Store::ForEachBackwards(std::string_view prefix, const Visit& visit, std::string_view before) const {
  CheckNamed(prefix);
  const rocksdb::Slice lower_bound = ToSlice(prefix);
  rocksdb::ReadOptions read;
  read.iterate_lower_bound = &lower_bound;
  const std::unique_ptr<rocksdb::Iterator> it(rep_->db->NewIterator(read));
  const std::string end = keys::Named(prefix, before);
  it->SeekForPrev(end);
  if (it->Valid() && ToView(it->key()) == end) it->Prev();
  for (; it->Valid(); it->Prev()) {
    if (!visit(ToView(it->key()).substr(prefix.size()), ToView(it->value()))) return {};
  }
  return ToStatus(it->status(), rep_->dir);
}

Status Store::Verify() const { return ToStatus(rep_->db->VerifyChecksum(), rep_->dir); }

}  // namespace attune
