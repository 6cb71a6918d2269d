// The ordered durable log of all shards, independent of its storage. Accepted events are appended here first, and all
// other state can be rebuilt from it.
//
// Its operations: append, read from a position, look up single records, and follow what becomes durable.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "log/log_reader.h"
#include "log/record.h"

namespace attune {

// A log for reading. Any thread may call any method.
class ReadableLog {
 public:
  virtual ~ReadableLog() = default;

  // Returns a reader of the records from `from_sequence` to `last_sequence`, inclusive. Without `last_sequence` it ends
  // at the last durable record found. kNotFound: records from there on were removed. If `from_sequence` is after the
  // last record, the reader is at its end; that is not an error. The log must outlive the reader.
  virtual Result<std::unique_ptr<LogReader>> NewReader(uint64_t from_sequence, std::optional<uint64_t> last_sequence = std::nullopt) = 0;
  // Looks up the records with these durable sequences, in the same order; nullopt for a record that was removed or that
  // a repair gave up. kIo: a record cannot be read; kCorrupt: one is damaged. Blocks on the disk or the network.
  virtual Result<std::vector<std::optional<FoundRecord>>> Read(std::span<const uint64_t> sequences) = 0;
};

struct LogEntry {
  uint8_t type = 0;  // not 0
  uint8_t shard = 0;
  std::string_view payload;  // at most kMaxPayloadBytes
};

// A log that this process writes. Any thread may call any method except Close. Callbacks run on one thread of the log,
// in the order of the appends. They may call Append; they must not wait for the log and must not throw.
//
// A failed append (its callback got an error) leaves nothing in the log while the process runs. After a crash between
// the write and the callback, its records may be found nevertheless. The sender then sends again, and the receiver
// recognises the ids.
class Log : public ReadableLog {
 public:
  // ok: the records are durable. The first has `first_sequence`, the others follow without gaps. kUnavailable: storage
  // is full and nothing was appended; retry later. kIo: the log has failed, see failed().
  using Callback = std::function<void(const Status&, uint64_t first_sequence)>;

  // Copies the records and returns; does not wait for the disk. The callback, which may be empty, is called later, once,
  // unless Append itself fails:
  // kUnavailable  too much is pending, or the log is closed: answer 429 or 503
  // kIo           the log has failed
  // kInvalid      no entries, type 0, a payload above kMaxPayloadBytes, or more in one call than may ever be pending
  virtual Status Append(std::span<const LogEntry> entries, Callback callback) = 0;

  // Waits until everything appended is durable or has failed. Later appends fail. May be called again.
  virtual void Close() = 0;

  // The last durable record; 0: there is none. A reader may read up to it while the log runs. It increases after the
  // follower has returned from the record's block, and before the callback of its append. So once a sequence is visible
  // here, the follower has its block. The follower may be ahead for a moment.
  virtual uint64_t durable_sequence() const = 0;
  // After an I/O error the log accepts nothing more: which of the last bytes are on disk is only known when it is
  // opened again. Answer pending requests, then end the process with an error.
  virtual bool failed() const = 0;
  // The reason if failed(), else ok.
  virtual Status status() const = 0;
  // True while the last write found no space.
  virtual bool storage_full() const = 0;
  // Bytes appended and not yet durable.
  virtual size_t pending_bytes() const = 0;
};

// Follows a log: called on the log's thread with each block that became durable, in order, before the callbacks of its
// appends. Must not wait for the log.
using LogFollower = std::function<void(const DurableBlock& block)>;

// Opens a log for writing with the given follower.
using OpenLog = std::function<Result<std::unique_ptr<Log>>(LogFollower follower)>;

}  // namespace attune
