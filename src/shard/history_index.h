// Which records of the log make up the history of each user of a shard: what merges, explanations and subject rights read
// back. Kept in the store, in pieces that the shard's snapshots add; what the last of these does not have is in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/store.h"

namespace attune {

// One thread, the shard's.
class HistoryIndex {
 public:
  explicit HistoryIndex(uint8_t shard) : shard_(shard) {}

  // A record was taken into a user's history. `slot`: her place in the engine.
  void Note(uint32_t slot, uint64_t sequence) { notes_.push_back({slot, sequence}); }

  // Adds to a snapshot's batch what came since the last one, whose batch must have been written. `id_of` gives the id of the
  // user at a slot.
  void WriteTo(const std::function<std::string_view(uint32_t slot)>& id_of, WriteBatch* batch);

  // The sequences of a user's records, in order. Some may be of a history that was parted from hers since.
  Result<std::vector<uint64_t>> Of(const Store& store, std::string_view id, uint32_t slot) const;

 private:
  struct Entry {
    uint32_t slot;
    uint64_t sequence;
  };

  const uint8_t shard_;
  std::vector<Entry> notes_;  // those up to written_ are in the last snapshot's batch as well
  size_t written_ = 0;
};

}  // namespace attune
