// Two people of two shards become one, or two again. Which ids lead to one person changes only while all loops stand at the
// record that changes it (see Meeting): so all of them know the same at the same place of the log. Nothing else is done there.
// What must be read back from the log is a PersonRebuild, for which one shard waits while all others go on.
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

// A person's state that changes since ids were merged into theirs or parted from it, for which records of the log must be
// read back. It belongs to one shard, which applies no other record until it is finished.
//
// A merge costs the smaller of the two histories: its records are put at their places into the state that has the larger
// one. Where the order of some of them is not known (see Engine::CanAdd), the state is made from both histories, as it is
// when they part.
class PersonRebuild {
 public:
  struct Asked {
    uint64_t sequence = 0;  // the record that asks for it
    std::string person;
    std::string merging;    // that record, when it merges; empty: it parts
    Millis parted_at = 0;
    bool second = false;    // of the two that one record asks for, the one whose effects come second
    // In the index: the person; when it parts, whose the history was.
    IndexedUser history;
    // Of a merge: who ended, and how many records each of the two had, at least.
    IndexedUser other;
    size_t own_records = 0;
    size_t other_records = 0;
  };
  // All must outlive it.
  PersonRebuild(Asked asked, Shard* shard, const Merging* merging, std::shared_ptr<const Program> program);

  uint64_t sequence() const { return asked_.sequence; }
  Shard& shard() { return shard_; }
  bool parts() const { return asked_.merging.empty(); }
  // Where the ids of its effects begin: see PublishEffects.
  uint32_t first_effect() const { return asked_.second ? kSecondEffects : 0; }

  // Of a merge: gives it the state of who ended, as WriteUser wrote it; empty: there was none. Once; any thread.
  void Give(std::string ended);
  // Whether it has that, or needs none. Any thread.
  bool IsGiven() const { return given_.load(std::memory_order_acquire); }

  // The rest after it was given. Reads the records that it needs; may be called on any thread, and blocks on the disk if
  // needs_log(). kIo, kCorrupt: without them the state would be wrong for good, so the runtime must end.
  bool needs_log() const { return way_ != Way::kOwn || asked_.own_records > 0; }
  Status Load(const Store& store, const Shards& shards, ReadableLog* log);
  // Applies up to `records` of them. True: Finish may be called. On the shard's thread, as is Finish.
  bool Step(size_t records);
  // The shard's state includes the record. Nullopt: more must be read; Load comes next.
  std::optional<Shard::Outcome> Finish(Effects* effects);
  size_t records() const { return past_.size(); }

 private:
  static constexpr uint32_t kSecondEffects = 1u << 24;
  enum class Way {
    kOther,  // the other's records are put into the person's state
    kOwn,    // the person's own records are put into the other's state, which becomes theirs
    kBoth,   // the state is made from all records
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
  std::unique_ptr<Engine> guest_;  // of the person who ended: effects may be about them
};

class Merging {
 public:
  // Both must outlive this.
  Merging(std::shared_ptr<const Program> program, const Store* store) : program_(program), reader_(std::move(program)), store_(*store) {}

  // Takes what the store says was merged up to a sequence, and remembers what came of later records, which shards that
  // are ahead of others have applied.
  Status Restore(uint64_t sequence);
  // What the store need not keep: users who ended at records that the stored state of every shard includes, and, when every
  // shard has stored one of this plan, what was merged under others.
  WriteBatch ForgetEnded() const;
  const Identity& identity() const { return identity_; }

  // --- on a loop's thread, between meetings ---

  std::string_view PersonOf(std::string_view id) const { return identity_.PersonOf(id); }
  std::string PersonOfEvent(const LoggedRecord& record) const;
  // Whether the record may be an event of another shard than the one in its header: the ids of any plan before may have led
  // elsewhere than those of this one, when it was logged.
  bool MayBeOfAnyShard(const RecordView& record) const {
    return IsOfAnyShard(record.type) || (record.type == static_cast<uint8_t>(RecordType::kEvent) && identity_.any_merged());
  }
  // Whether the record may only be applied while all loops stand still.
  bool NeedsAll(const LoggedRecord& record) const;

  // --- while all loops stand still ---

  // A user who ends in a shard, for a rebuild that waits for their state.
  struct Leaving {
    Shard* from;
    std::string id;
    uint64_t sequence;
    std::shared_ptr<PersonRebuild> rebuild;
  };
  struct Met {
    // The record is an event of this person, in this shard, and is applied as any other; null: it is not.
    Shard* shard = nullptr;
    std::string person;
    // Else what is left to do, behind whatever comes before the record in the shards that it is about.
    std::optional<Leaving> leaving;
    std::vector<std::shared_ptr<PersonRebuild>> rebuilds;
  };
  // Both shards have admitted every record before this one (see Engine::Admit), and applied it when it parts people. Reads
  // nothing from the log; from the store, only while it recovers.
  Met Apply(const LoggedRecord& record, const Shards& shards);
  // Ends the user, once their shard has applied every record before that one, and gives their state to the rebuild.
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
  // What the store says a record brought about.
  struct Link {
    std::string other, person;
    bool undone = false;
  };

  static std::optional<Link> ReadLink(std::string_view bytes);
  // Has the shards store what the record brought about.
  void NoteLink(uint64_t sequence, const Link& link, std::initializer_list<Shard*> shards);
  Met Merge(const LoggedRecord& record, const Shards& shards);
  Met Undo(const RecordView& record, const Shards& shards);
  bool MayMerge(const Record& record, Shard& into, Shard& from, const std::string& other);
  // The state of a user who ended in a shard that is ahead; empty when the user never existed.
  Result<std::string> Ended(uint8_t shard, uint64_t sequence) const;

  const std::shared_ptr<const Program> program_;
  RecordReader reader_;
  const Store& store_;
  mutable std::shared_mutex mutex_;  // for other threads than those of loops
  Identity identity_;
  uint64_t restored_ = 0;              // the sequence given to Restore
  // Links of a store of version 4, which named no plan: what they are under this plan, empty while that is not known.
  std::map<uint64_t, std::string> unnamed_;
  std::vector<std::string> of_others_;  // the store's names of what was merged under other plans, at Restore
  std::map<uint64_t, Link> recorded_;  // by sequence, of records still to be applied by some shard
};

}  // namespace attune
