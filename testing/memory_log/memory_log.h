// A log in memory, for tests that need a log without a disk.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/workers.h"
#include "log/log.h"

namespace attune {

// The durable records of a MemoryLog. Another one that gets them continues the log, as after a restart.
class MemoryRecords {
 public:
  uint64_t last_sequence() const;
  void Add(DurableBlock block);
  // The records from `from` to `last` in one block; null: there are none.
  DurableBlock BlockFrom(uint64_t from, uint64_t last) const;

 private:
  mutable std::mutex mutex_;
  std::vector<DurableBlock> blocks_;  // guarded by mutex_; in order
};

class MemoryLog : public Log {
 public:
  struct Options {
    std::shared_ptr<MemoryRecords> records = std::make_shared<MemoryRecords>();
    // Append refuses if more than this many bytes are pending. A record counts its payload plus 20 bytes.
    size_t max_pending_bytes = 64 << 20;
    Workers* workers = &Threads();  // one step makes the appended records durable; must outlive the log
    LogFollower on_durable = nullptr;
  };

  explicit MemoryLog(Options options);
  // Calls Close.
  ~MemoryLog() override;

  Status Append(std::span<const LogEntry> entries, Callback callback) override;
  void Close() override;
  uint64_t durable_sequence() const override { return durable_sequence_.load(std::memory_order_acquire); }
  bool failed() const override { return false; }
  Status status() const override { return {}; }
  bool storage_full() const override { return false; }
  size_t pending_bytes() const override;
  Result<std::unique_ptr<LogReader>> NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence = std::nullopt) override;
  Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences) override;

 private:
  struct Group {
    std::vector<std::pair<uint64_t, Callback>> waiters;  // with first sequences
    std::vector<std::pair<RecordView, size_t>> records;  // each with the end of its payload in `bytes`
    std::string bytes;
    size_t counted_bytes = 0;
  };

  Worker::Next Step();

  const Options options_;
  mutable std::mutex mutex_;
  Group filling_;  // guarded by mutex_, as are the next
  uint64_t next_sequence_;
  size_t pending_bytes_ = 0;
  bool closing_ = false;
  std::atomic<uint64_t> durable_sequence_;
  bool closed_ = false;
  std::unique_ptr<Worker> worker_;
};

// For RuntimeOptions::open_log: a MemoryLog with these options and the runtime's follower.
OpenLog MemoryLogWith(MemoryLog::Options options);

}  // namespace attune
