// Two users of two shards become one, or two again, while loops run. Which ids lead to one person changes only while all
// loops stand still at the record that changes it (`Meeting`): so all of them know the same at the same place of the log.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/identity.h"
#include "log/lookup.h"
#include "shard/shard.h"
#include "shard/shard_of.h"
#include "state/store.h"

namespace attune {

class Merging {
 public:
  // All must outlive this.
  Merging(std::shared_ptr<const Program> program, const Store* store, LogLookup* log)
      : program_(program), reader_(program), history_reader_(std::move(program)), store_(*store), log_(*log) {}

  // Takes what the store says was merged up to a sequence, and remembers what came of later records, which shards that
  // are ahead of others have applied.
  Status Restore(uint64_t sequence);
  // What the store need not keep: users who ended at records that the stored state of every shard includes.
  WriteBatch ForgetEnded() const;
  const Identity& identity() const { return identity_; }

  // --- on a loop's thread, between meetings ---

  std::string_view PersonOf(std::string_view id) const { return identity_.PersonOf(id); }
  std::string PersonOfEvent(const RecordView& record) const;
  // Whether the record may only be applied while all loops stand still.
  bool NeedsAll(const RecordView& record) const;

  // --- while all loops stand still ---

  using Shards = std::array<std::unique_ptr<Shard>, kShards>;
  // Applies such a record; what came of it is of `*shard`.
  Shard::Outcome Apply(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects);

  // --- any thread ---

  std::string PersonOfNow(std::string_view id) const {
    const std::shared_lock hold(mutex_);
    return std::string(identity_.PersonOf(id));
  }
  bool IsMergedNow(std::string_view id) const {
    const std::shared_lock hold(mutex_);
    return identity_.IsMerged(id);
  }

 private:
  // What the store says a record brought about.
  struct Link {
    std::string other, person;
    bool undone = false;
  };
  struct History {
    std::vector<LogLookup::Found> records;
    std::vector<Engine::PastRecord> past;  // views into `records`, in the order of time and log
  };

  Shard::Outcome Merge(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects);
  Shard::Outcome Undo(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects);
  bool MayMerge(const Record& record, Shard& into, Shard& from, const std::string& other) const;
  // A user who has ended in a shard that is ahead, as she was: in an engine of her own.
  Result<std::unique_ptr<Engine>> Ended(uint8_t shard, uint64_t sequence, std::string_view id) const;
  // The records with these sequences of ids that lead to `person`.
  History Read(std::vector<uint64_t> sequences, std::string_view person);

  const std::shared_ptr<const Program> program_;
  RecordReader reader_;
  RecordReader history_reader_;
  const Store& store_;
  LogLookup& log_;
  mutable std::shared_mutex mutex_;   // for other threads than those of loops
  Identity identity_;
  uint64_t restored_ = 0;              // the sequence given to Restore
  std::unique_ptr<Engine> ended_;      // of the last merge: what came of it may be about a user there
  std::map<uint64_t, Link> recorded_;  // by sequence, of records still to be applied by some shard
};

}  // namespace attune
