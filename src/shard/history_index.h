// The index of a shard's users: which records of the log make up each user's history. Merges, explanations and subject
// rights read it. The shard's snapshots add pieces of it to the store; what the last written snapshot lacks is in
// memory.
//
// A merge records that a user's history includes that of the user that ended, instead of copying its records. So the
// index of a chain of merges is no larger than its records.
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

// A user in the index: its shard, its slot in the shard's engine (kNoSlot: it has none), and its id.
struct IndexedUser {
  uint8_t shard;
  uint32_t slot;
  std::string id;
  uint64_t since = 0;  // if another's history includes this one: the record that caused it, if that is in memory
};

// Used on the shard's thread, unless stated otherwise.
class HistoryIndex {
 public:
  // Creates an empty index. The store's index, if any, is ignored: it may be of another plan, under which other records
  // were duplicates.
  explicit HistoryIndex(uint8_t shard) : shard_(shard) {}
  // Declares that the store's index is of this plan and part of this index.
  void SetStored();

  // Adds a record to a user's history.
  void Note(uint32_t slot, uint64_t sequence);
  // With the record `sequence`, the user's history includes all that `other` had until then.
  void NoteIncluded(uint32_t slot, uint64_t sequence, IndexedUser other);
  // The user at the slot ends. From then on its records are found by its id.
  void NoteEnded(uint32_t slot, std::string_view id);

  // Adds what was noted since the last call to a snapshot's batch. The batch of the previous snapshot must have been
  // written. Deletes an index of another plan. `id_of` returns the id of the user at a slot, `position` is the record
  // up to which the snapshot goes.
  void WriteTo(const std::function<std::string_view(uint32_t slot)>& id_of, uint64_t position, WriteBatch* batch);

  // Appends the records of a user that the store may lack, in no order: those of the slot, unless it is kNoSlot, and
  // those of ended users with the id. Costs what was noted since the last call, plus the result. Any thread.
  void ReadUnsaved(uint32_t slot, std::string_view id, std::vector<uint64_t>* sequences, std::vector<IndexedUser>* included) const;
  // Appends the records of a user that the store has. A record may be repeated. Appends nothing while the store only
  // has an index of another plan. Any thread.
  Status ReadSaved(const Store& store, std::string_view id, std::vector<uint64_t>* sequences, std::vector<IndexedUser>* included) const;
  static Status ReadSaved(const Store& store, uint8_t shard, std::string_view id, std::vector<uint64_t>* sequences,
                          std::vector<IndexedUser>* included);

  // Returns the records of a user and of all histories that it includes, in order, each once. Some may belong to a
  // history that was parted from it since, or to one that continued separately. `index_of` returns the index of a
  // shard, or null to read only the store. Omits `but` and the histories that only `but` includes. `up_to`: omits what
  // a shard noted for later records. Any thread.
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
  mutable std::mutex mutex_;  // guards all members below
  // The entries before these counts are also in the last snapshot's batch.
  std::vector<Entry> notes_;
  std::vector<Inclusion> inclusions_;
  std::vector<Ended> ended_;
  enum class Stored { kNothing, kInLastBatch, kYes } stored_ = Stored::kNothing;
  size_t written_ = 0;
  size_t inclusions_written_ = 0;
  size_t ended_written_ = 0;
  // An index of the entries before these counts, extended on demand.
  mutable absl::flat_hash_map<uint32_t, OfSlot> by_slot_;
  mutable TextMap<std::vector<uint32_t>> ended_slots_;  // by id
  mutable size_t indexed_ = 0;
  mutable size_t inclusions_indexed_ = 0;
  mutable size_t ended_indexed_ = 0;
};

}  // namespace attune
