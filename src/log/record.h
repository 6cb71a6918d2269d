// Records of the log as readers see them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

inline constexpr size_t kMaxPayloadBytes = 16 << 20;

// The payload's bytes belong to whoever handed the record out.
struct RecordView {
  uint64_t sequence = 0;  // 1, 2, 3 … over all shards
  uint8_t type = 0;       // RecordType
  uint8_t shard = 0;
  std::string_view payload;
};

// Records that became durable together, or were read together. Threads share it: it does not change once it is handed out.
struct RecordBlock {
  RecordBlock() = default;
  RecordBlock(const RecordBlock&) = delete;  // `records` points into `bytes`
  RecordBlock& operator=(const RecordBlock&) = delete;

  uint64_t first_sequence() const { return records.front().sequence; }
  uint64_t last_sequence() const { return records.back().sequence; }

  std::vector<RecordView> records;  // at least one, in order
  std::string bytes;                // holds the payloads; what lies between them is the log's business
};

// A log may use the memory of a block again when the last owner releases it. A block that is kept costs its memory; pending
// bytes do not include it.
using DurableBlock = std::shared_ptr<const RecordBlock>;

// A copy of one record that a look-up found.
struct FoundRecord {
  uint8_t type = 0;
  uint8_t shard = 0;
  std::string payload;
};

}  // namespace attune
