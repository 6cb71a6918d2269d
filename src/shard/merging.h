// Merges two people, possibly of two shards, and undoes merges. Which ids lead to one person changes only while all
// loops wait at the record that changes it (see Meeting), so all loops agree at each position of the log. Only the
// identity changes in the meeting. Reading records back from the log is the work of a PersonRebuild: one shard waits
// for it while all others continue.
#pragma once

#include <array>
#include <atomic>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/identity.h"
#include "log/log.h"
#include "log/record_type.h"
#include "log/shard_of.h"
#include "shard/shard.h"
#include "state/store.h"

namespace attune {

using Shards = std::array<std::unique_ptr<Shard>, kShards>;
class Merging;

// Rebuilds the state of a person after ids were merged into it or parted from it, if records must be read back from the
// log. It belongs to one shard, which applies no other record until the rebuild is finished.
//
// A merge costs the smaller of the two histories: its records are inserted into the state with the larger one. If the
// order of some of them is not known (see Engine::CanAdd), the state is built from both histories, as it is for a
// parting.
class PersonRebuild {
 public:
  struct Asked {
    uint64_t sequence = 0;  // the record that caused the rebuild
    std::string person;
    std::string merging;    // the payload of that record if it merges; empty: it parts
    Millis parted_at = 0;
    bool second = false;    // of the two rebuilds of one record, the one whose effects come second
    // In the index: the person; for a parting, the person that had the history.
    IndexedUser history;
    // Of a merge: the user that ended, and the least number of records of each of the two.
    IndexedUser other;
    size_t own_records = 0;
    size_t other_records = 0;
  };
  // All must outlive this.
  PersonRebuild(Asked asked, Shard* shard, const Merging* merging, std::shared_ptr<const Program> program);

  uint64_t sequence() const { return asked_.sequence; }
  Shard& shard() { return shard_; }
  bool parts() const { return asked_.merging.empty(); }
  // The first id of its effects: see PublishEffects.
  uint32_t first_effect() const { return asked_.second ? kSecondEffects : 0; }

  // Of a merge: passes the state of the user that ended, as WriteUser wrote it; empty if there was none. Call once. Any
  // thread.
  void Give(std::string ended);
  // Whether it has that state, or needs none. Any thread.
  bool IsGiven() const { return given_.load(std::memory_order_acquire); }

  // Continues after Give. Reads the records that it needs. Any thread; blocks on the disk if needs_log(). kIo,
  // kCorrupt: the state would stay wrong without the records, so the runtime must end.
  bool needs_log() const { return way_ != Way::kOwn || asked_.own_records > 0; }
  Status Load(const Store& store, const Shards& shards, ReadableLog* log);
  // Applies up to `records` of them. Returns true when Finish may be called. Step and Finish run on the shard's thread.
  bool Step(size_t records);
  // The shard's state then includes the record. Nullopt: more records are needed; call Load again.
  std::optional<Shard::Outcome> Finish(Effects* effects);
  size_t records() const { return past_.size(); }

 private:
  static constexpr uint32_t kSecondEffects = 1u << 24;
  enum class Way {
    kOther,  // the other's records are inserted into the person's state
    kOwn,    // the person's records are inserted into the other's state, which becomes the person's
    kBoth,   // the state is built from all records
  };

  bool MergeInto(Effects* effects);

  const Asked asked_;
  Shard& shard_;
  const Merging& merging_;
  const std::shared_ptr<const Program> program_;
  std::atomic<bool> given_{false};
  std::string ended_;
  Way way_ = Way::kBoth;
  RecordReader reader_;
  std::vector<FoundRecord> records_;
  std::vector<Engine::PastRecord> past_;  // views into records_, in the order of time and log
  size_t next_ = 0;
  std::optional<Engine::Draft> draft_;
  std::unique_ptr<Engine> guest_;  // of the user that ended: effects may refer to it
};

class Merging {
 public:
  // `store` must outlive this.
  Merging(std::shared_ptr<const Program> program, const Store* store) : program_(program), reader_(std::move(program)), store_(*store) {}

  // Reads the stored links. Applies those up to `sequence`, and keeps those of later records, which shards that are
  // ahead of others have applied.
  Status Restore(uint64_t sequence);
  // Deletes what the store no longer needs: users that ended at records that the stored state of every shard includes,
  // and, once every shard has stored a snapshot of this plan, links under other plans.
  WriteBatch ForgetEnded() const;
  const Identity& identity() const { return identity_; }

  // --- on a loop's thread, between meetings ---

  std::string_view PersonOf(std::string_view id) const { return identity_.PersonOf(id); }
  std::string PersonOfEvent(const LoggedRecord& record) const;
  // Whether the record may be an event of another shard than its header says. When it was logged, ids may have led
  // elsewhere, under this plan or an earlier one.
  bool MayBeOfAnyShard(const RecordView& record) const {
    return IsOfAnyShard(record.type) || (record.type == static_cast<uint8_t>(RecordType::kEvent) && identity_.any_merged());
  }
  // Whether the record may only be applied while all loops wait.
  bool NeedsAll(const LoggedRecord& record) const;

  // --- while all loops wait ---

  // A user that ends in a shard, and the rebuild that waits for its state.
  struct Leaving {
    Shard* from;
    std::string id;
    uint64_t sequence;
    std::shared_ptr<PersonRebuild> rebuild;
  };
  struct Met {
    // The record is an event of this person in this shard, and is applied as any other. Null: it is not.
    Shard* shard = nullptr;
    std::string person;
    // Otherwise: what remains to do, in the shards concerned, after all records before this one.
    std::optional<Leaving> leaving;
    std::vector<std::shared_ptr<PersonRebuild>> rebuilds;
  };
  // Requires that both shards have admitted every record before this one (see Engine::Admit), and applied it if this
  // record parts people. Does not read the log. Reads the store only during recovery.
  Met Apply(const LoggedRecord& record, const Shards& shards);
  // Ends the user, once its shard has applied every record before that one, and gives its state to the rebuild.
  static void Leave(const Leaving& leaving);

  // --- any thread ---

  std::string PersonOfNow(std::string_view id) const {
    const std::shared_lock hold(mutex_);
    return std::string(identity_.PersonOf(id));
  }
  // See Identity::LedTo.
  bool LedTo(std::string_view id, std::string_view person, uint64_t sequence) const {
    const std::shared_lock hold(mutex_);
    return !identity_.any_undone() || identity_.LedTo(id, person, sequence);
  }

 private:
  // The stored effect of a record on identities.
  struct Link {
    std::string other, person;
    bool undone = false;
  };

  static std::optional<Link> ReadLink(std::string_view bytes);
  // Makes the shards store the link of the record.
  void NoteLink(uint64_t sequence, const Link& link, std::initializer_list<Shard*> shards);
  Met Merge(const LoggedRecord& record, const Shards& shards);
  Met Undo(const RecordView& record, const Shards& shards);
  bool MayMerge(const Record& record, Shard& into, Shard& from, const std::string& other);
  // The state of a user that ended in a shard that is ahead; empty if the user never existed.
  Result<std::string> Ended(uint8_t shard, uint64_t sequence) const;

  const std::shared_ptr<const Program> program_;
  RecordReader reader_;
  const Store& store_;
  mutable std::shared_mutex mutex_;  // for threads other than the loops'
  Identity identity_;
  uint64_t restored_ = 0;              // the sequence given to Restore
  // Links of a store of version 4, which did not name the plan: their value under this plan, empty while unknown.
  std::map<uint64_t, std::string> unversioned_links_;
  std::vector<std::string> foreign_links_;  // names in the store of links under other plans, at Restore
  std::map<uint64_t, Link> recorded_;  // by sequence: links of records that some shard has yet to apply
};

}  // namespace attune
