// Records of the log, for readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

inline constexpr size_t kMaxPayloadBytes = 16 << 20;

// The payload is a view; its owner depends on the function that returns it.
struct RecordView {
  uint64_t sequence = 0;  // 1, 2, 3 … over all shards
  uint8_t type = 0;       // RecordType
  uint8_t shard = 0;
  std::string_view payload;
};

// Records that became durable together, or were read together. Immutable once shared between threads.
struct RecordBlock {
  RecordBlock() = default;
  RecordBlock(const RecordBlock&) = delete;  // `records` points into `bytes`
  RecordBlock& operator=(const RecordBlock&) = delete;

  uint64_t first_sequence() const { return records.front().sequence; }
  uint64_t last_sequence() const { return records.back().sequence; }

  std::vector<RecordView> records;  // at least one, in order
  std::string bytes;                // holds the payloads; other bytes are internal to the log
};

// A log may reuse the memory of a block after its last owner releases it. Pending bytes do not include blocks that are
// kept.
using DurableBlock = std::shared_ptr<const RecordBlock>;

// A copy of one record, returned by a lookup.
struct FoundRecord {
  uint8_t type = 0;
  uint8_t shard = 0;
  std::string payload;
};

}  // namespace attune
