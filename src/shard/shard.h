// One shard: its users' state, and its position in the log. Owned by one loop and used only on its thread.
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
  // Applies a record of this shard, unless the state includes it already. An event is applied to `person`, or to its
  // own user if `person` is empty.
  Outcome Apply(const LoggedRecord& record, std::string_view person, Effects* effects);

  // The instant for which a tick should be logged: the earliest due timer; kNever while a tick is pending.
  Millis TickDue() const { return tick_pending_ ? kNever : engine_.NextDue(); }
  void TickSent() { tick_pending_ = true; }
  void TickFailed() { tick_pending_ = false; }

  // --- histories ---

  const HistoryIndex& history() const { return history_; }
  void NoteHistory(uint32_t slot, uint64_t sequence) { history_.Note(slot, sequence); }
  void NoteIncluded(uint32_t slot, uint64_t sequence, IndexedUser other) { history_.NoteIncluded(slot, sequence, std::move(other)); }
  // The user's entry in the index.
  IndexedUser Indexed(std::string_view id) const {
    const UserState* user = engine_.Find(id);
    return {number_, user ? user->slot : kNoSlot, std::string(id)};
  }
  // The record merged or parted two people, one of them of this shard. The next snapshot stores the link, as Merging
  // wrote it.
  void NoteLink(uint64_t sequence, std::string_view link) {
    next_batch_.Put(keys::kLinks, keys::LinkName(sequence, program_->plan->fingerprint), link);
  }
  // Ends a user whose history the record gives to another. Returns the state before the record, as WriteUser writes it.
  // `keep`: the store keeps it as well.
  std::string EndUser(UserState* user, uint64_t sequence, bool keep);
  // Returns whether the person's event is not a duplicate: see Engine::Admit. If true, ApplyAdmitted must follow.
  bool Admit(const LoggedRecord& record, std::string_view person);
  Outcome ApplyAdmitted(const LoggedRecord& record, std::string_view person, Effects* effects);

  // --- snapshots: written in steps, between records ---

  // Whether the state has changed since the last snapshot.
  bool NeedsSnapshot() const { return position_ != snapshot_position_ || engine_.has_dirty(); }
  // Begins a snapshot of the present state. Users that change while it is written are written before their change. The
  // batch of the previous snapshot must have been written.
  void BeginSnapshot();
  bool in_snapshot() const { return in_snapshot_; }
  // Writes up to `users` more. Returns true when the batch is complete and may be taken.
  bool ContinueSnapshot(size_t users);
  WriteBatch TakeBatch();
  // Restores the state from the last snapshot.
  Status Restore(const Store& store);
  // The position of the snapshot that Restore found, even if it is another plan's and was not read.
  uint64_t found_position() const { return found_position_; }

  struct Snapshot {
    uint64_t plan = 0;  // its fingerprint
    uint64_t position = 0;
    bool IsUnder(const Plan& other) const { return IsOf(plan, other); }
  };
  // The header of a shard's stored snapshot; nullopt: there is none. kCorrupt; kInvalid: a newer program wrote it.
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
  std::vector<UserState*> to_write_;  // users of the current snapshot; those already written are no longer marked
  WriteBatch batch_;
  WriteBatch next_batch_;  // what the next snapshot writes in addition to users
  ByteWriter bytes_;
};

}  // namespace attune
