// One shard: its users' state, and how far in the log that state has come. Owned by one loop and touched on its thread
// alone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/record.h"
#include "log/record_type.h"
#include "shard/history_index.h"
#include "shard/logged_record.h"
#include "state/keyspace.h"
#include "state/store.h"

namespace attune {

class Shard {
 public:
  Shard(uint8_t number, std::shared_ptr<const Program> program, RecordReader* reader);

  uint8_t number() const { return number_; }
  Engine& engine() { return engine_; }
  // The sequence up to which the state includes every record of this shard.
  uint64_t position() const { return position_; }
  void set_position(uint64_t position) { position_ = std::max(position_, position); }

  bool Includes(uint64_t sequence) const { return sequence <= position_; }

  struct Outcome {
    Applied applied = Applied::kNew;
    bool event = false;
  };
  // Applies a record of this shard, unless its state includes it already. An event is its user's, or `person`'s when that
  // is given.
  Outcome Apply(const LoggedRecord& record, std::string_view person, Effects* effects);

  // An instant at which a tick should be logged: the earliest due timer; kNever while a tick is under way.
  Millis TickDue() const { return tick_pending_ ? kNever : engine_.NextDue(); }
  void TickSent() { tick_pending_ = true; }
  void TickFailed() { tick_pending_ = false; }

  // --- histories ---

  const HistoryIndex& history() const { return history_; }
  void NoteHistory(uint32_t slot, uint64_t sequence) { history_.Note(slot, sequence); }
  void NoteIncluded(uint32_t slot, uint64_t sequence, IndexedUser other) { history_.NoteIncluded(slot, sequence, std::move(other)); }
  // Where the user is in the index.
  IndexedUser Indexed(std::string_view id) const {
    const UserState* user = engine_.Find(id);
    return {number_, user ? user->slot : kNoSlot, std::string(id)};
  }
  // The record merged two people or parted them, one of them of this shard: the next snapshot stores it, as Merging writes it.
  void NoteLink(uint64_t sequence, std::string_view link) {
    next_batch_.Put(keys::kLinks, keys::LinkName(sequence, program_->plan->fingerprint), link);
  }
  // Ends a user, whose history the record makes another's. Returns the state before the record, as WriteUser writes it;
  // `keep`: it is kept in the store too.
  std::string GiveUp(UserState* user, uint64_t sequence, bool keep);
  // Whether the event of the person is no duplicate: see Engine::Admit. If so, ApplyAdmitted comes later.
  bool Admit(const LoggedRecord& record, std::string_view person);
  Outcome ApplyAdmitted(const LoggedRecord& record, std::string_view person, Effects* effects);

  // --- snapshots: taken bit by bit, beside the work ---

  // Whether the last snapshot is not of the state as it is now.
  bool NeedsSnapshot() const { return position_ != snapshot_position_ || engine_.has_dirty(); }
  // Begins one of the state as it is now. Every user is written as of this moment: one who is about to change
  // is written first. The batch of the one before must have been written.
  void BeginSnapshot();
  bool in_snapshot() const { return in_snapshot_; }
  // Writes up to `users` more; true when the batch is complete, and may be taken.
  bool ContinueSnapshot(size_t users);
  WriteBatch TakeBatch();
  // Reads the state that a snapshot left.
  Status Restore(const Store& store);
  // The position of the snapshot that Restore found, be it of another plan and not read.
  uint64_t found_position() const { return found_position_; }

  struct Snapshot {
    uint64_t plan = 0;  // its fingerprint
    uint64_t position = 0;
    bool IsUnder(const Plan& other) const { return IsOf(plan, other); }
  };
  // What the store says of a shard's snapshot; nullopt: there is none. kCorrupt; kInvalid: a newer program wrote it.
  static Result<std::optional<Snapshot>> SnapshotOf(const Store& store, uint8_t number);

 private:
  void WriteOne(UserState* user);
  Record Read(const LoggedRecord& record, std::string_view person);

  const uint8_t number_;
  const std::shared_ptr<const Program> program_;
  RecordReader& reader_;
  Engine engine_;
  HistoryIndex history_;
  uint64_t position_ = 0;
  bool tick_pending_ = false;
  bool in_snapshot_ = false;
  uint64_t snapshot_position_ = 0;
  uint64_t found_position_ = 0;
  std::vector<UserState*> to_write_;  // users of the snapshot at hand; those already written have lost their mark
  WriteBatch batch_;
  WriteBatch next_batch_;  // what the next snapshot writes beside the users
  ByteWriter bytes_;
};

}  // namespace attune
