// Which records of the log make up the history of each user of a shard: what merges, explanations and subject rights read
// back. Kept in the store, in pieces that the shard's snapshots add; what the last written snapshot lacks is in memory.
//
// A merge notes that a user's history includes that of the user who ended, rather than the records of it: so the index of
// a chain of merges costs no more than its records.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text_map.h"
#include "state/store.h"

namespace attune {

inline constexpr uint32_t kNoSlot = UINT32_MAX;  // of a user that does not exist

// A user in the index: its shard, its place in the shard's engine (kNoSlot: it has none now), and its id.
struct IndexedUser {
  uint8_t shard;
  uint32_t slot;
  std::string id;
  uint64_t since = 0;  // where another's history includes it: the record that made it so, if that is in memory
};

// The shard's thread, except where said.
class HistoryIndex {
 public:
  // Empty: what the store has is of another plan, under which other records were duplicates, and no part of it.
  explicit HistoryIndex(uint8_t shard) : shard_(shard) {}
  // What the store has is a part of it.
  void SetStored();

  // A record became part of a user's history.
  void Note(uint32_t slot, uint64_t sequence);
  // With the record `sequence`, the user's history came to include all that `other` had until then.
  void NoteIncluded(uint32_t slot, uint64_t sequence, IndexedUser other);
  // The user at the slot ends. What is noted of them is found by their id from then on.
  void NoteEnded(uint32_t slot, std::string_view id);

  // Adds to a snapshot's batch, which empties what is stored of another plan, what came since the last one, whose batch must have been written. `id_of` gives the id of
  // the user at a slot, `position` is the record that the snapshot includes.
  void WriteTo(const std::function<std::string_view(uint32_t slot)>& id_of, uint64_t position, WriteBatch* batch);

  // Appends what the store may lack of a user, in no order: of the one at the slot, unless that is kNoSlot, and of those
  // who ended and had the id. Costs what was noted since the last call, and the result. Any thread.
  void ReadUnsaved(uint32_t slot, std::string_view id, std::vector<uint64_t>* sequences, std::vector<IndexedUser>* included) const;
  // The same of what the store has; some may come twice. Any thread.
  // Nothing while the store has only another plan's.
  Status ReadSaved(const Store& store, std::string_view id, std::vector<uint64_t>* sequences, std::vector<IndexedUser>* included) const;
  static Status ReadSaved(const Store& store, uint8_t shard, std::string_view id, std::vector<uint64_t>* sequences,
                          std::vector<IndexedUser>* included);

  // The records of a user and of all whose histories it includes, in order, each once. Some may be of a history that was
  // parted from it since, or of one that went on by itself. `index_of` gives the index of a shard, or null to read the
  // store alone. Leaves `but` out, and those that only `but` includes. Any thread.
  // `up_to`: leaves out what a shard noted of later records than this.
  static Result<std::vector<uint64_t>> Collect(const Store& store, const std::function<const HistoryIndex*(uint8_t shard)>& index_of,
                                               IndexedUser user, const IndexedUser* but = nullptr,
                                               const std::function<uint64_t(uint8_t shard)>& up_to = nullptr);

 private:
  struct Entry {
    uint32_t slot;
    uint64_t sequence;
  };
  struct Inclusion {
    uint32_t slot;
    uint64_t sequence;
    IndexedUser other;
  };
  struct Ended {
    uint32_t slot;
    std::string id;
  };
  struct OfSlot {
    std::vector<uint64_t> sequences;
    std::vector<size_t> inclusions;
  };

  const uint8_t shard_;
  mutable std::mutex mutex_;  // guards all below
  // Up to these counts they are in the last snapshot's batch as well.
  std::vector<Entry> notes_;
  std::vector<Inclusion> inclusions_;
  std::vector<Ended> ended_;
  enum class Stored { kNothing, kInLastBatch, kYes } stored_ = Stored::kNothing;
  size_t written_ = 0;
  size_t inclusions_written_ = 0;
  size_t ended_written_ = 0;
  // An index of the entries up to these counts, extended on demand.
  mutable absl::flat_hash_map<uint32_t, OfSlot> by_slot_;
  mutable TextMap<std::vector<uint32_t>> ended_slots_;  // by id
  mutable size_t indexed_ = 0;
  mutable size_t inclusions_indexed_ = 0;
  mutable size_t ended_indexed_ = 0;
};

}  // namespace attune
