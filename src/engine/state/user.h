// The engine's state of one user.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/program/program.h"
#include "engine/sequence/sequence_state.h"
#include "engine/series/block.h"
#include "engine/series/fact.h"
#include "engine/series/series.h"
#include "engine/series/sessions.h"
#include "engine/series/stored.h"
#include "engine/state/memberships.h"

namespace attune {

class KeyStates;

struct Firing {
  ConditionId condition;
  Millis at;
  uint64_t key = 0;  // a hash of the key as JSON; 0: none
};

inline constexpr size_t kRecentEvents = 10;

// Series, totals and conditions are indexed by their numbers in the program. Pointers and views into a user are valid
// until the user next changes.
class UserState {
 public:
  UserState(std::string_view id, uint32_t slot, const Program& program);
  ~UserState();

  const Program& program() const { return program_; }

  std::string_view id() const { return {reinterpret_cast<const char*>(block_.words(program_.state.id)), id_size_}; }

  Millis first_seen = kNever;
  Millis now = kAlways;        // the latest instant at which an event came or a condition changed
  Millis looked = kAlways;     // the latest instant at which a timer read the user
  Millis armed = kNever;       // the instant of the user's entry in the timer queue
  Millis next_due = kNever;    // no condition is due earlier
  const uint32_t slot;         // the index in the engine's list of users
  bool known = false;          // by a userId
  bool ended = false;          // the history became another user's
  bool dirty = false;          // changed since the last snapshot began
  bool in_snapshot = false;    // the current snapshot has yet to write it
  Sessions sessions;

  // --- series ---

  Series FindSeries(uint32_t index) const {  // empty if there is none
    Series series;
    const Array* head = FindHead(index);
    if (!head) return series;
    series.size_ = head->size;
    series.times_ = reinterpret_cast<const Millis*>(block_.words(static_cast<uint32_t>(head->at)));
    series.values_ = block_.words(static_cast<uint32_t>(head->at + head->room));  // only valid with two lanes
    series.truncated_ = head->truncated;
    series.has_negative_ = head->negative;
    if (series.size_ > program_.long_series) LimitSeries(index, &series);
    return series;
  }
  // Adds an event at its place. Takes ownership of the value's use of text.
  void AddToSeries(uint32_t series, Millis time, Stored value);
  // Drops the oldest `n` entries and releases their texts.
  void DropFromSeries(uint32_t series, uint32_t n, Interner* interner);
  // Whether adding one more event needs more room or exceeds the limit, so that old ones should be dropped first.
  bool IsSeriesFull(uint32_t series, uint32_t limit) const {
    const Array* head = FindHead(series);
    return head && (head->size == head->room || head->size >= limit);
  }
  void SetSeriesTruncated(uint32_t series) { FindHead(series)->truncated = 1; }

  // --- totals: one word or two (TotalWords) from a slot on ---

  const uint64_t* FindTotal(uint32_t slot) const { return Find(kTotals, slot); }
  uint64_t* MakeTotal(uint32_t slot, uint32_t words);

  // --- conditions that hold, and since when ---

  bool Holds(ConditionId c) const { return Has(kMembers, c); }
  Millis Since(ConditionId c) const { return static_cast<Millis>(*Find(kMembers, c)); }  // requires that it holds
  void Enter(ConditionId c, Millis at) { *Make(kMembers, c) = static_cast<uint64_t>(at); }
  void Leave(ConditionId c) { Erase(kMembers, c); }
  // As bits, by condition.
  std::span<const uint64_t> holding() const { return {Bits(kMembers), program_.state.first[kMembers + 1] - program_.state.first[kMembers]}; }

  // --- conditions that may change without an event, and the earliest instant at which each may ---

  void SetDue(ConditionId c, Millis at);
  // Postpones the condition if it is due at all.
  void Postpone(ConditionId c, Millis at) {
    if (Has(kDues, c)) Words(kDues)[Rank(kDues, c)] = static_cast<uint64_t>(at);
  }
  // Calls fn(condition) for those that are due by an instant. Returns the first instant at which another one is due.
  template <typename Fn>
  Millis ForEachDue(Millis by, Fn fn) const {
    const uint64_t* items = Words(kDues);
    Millis next = kNever;
    for (uint32_t rank = 0; rank < parts_[kDues].size; ++rank) {
      const auto at = static_cast<Millis>(items[rank]);
      if (at <= by) {
        fn(static_cast<ConditionId>(IndexOf(kDues, rank)));
      } else {
        next = at < next ? at : next;
      }
    }
    return next;
  }

  // --- message ids of accepted events, as hashes with times, to recognise duplicates ---

  // Whether an event with this id is remembered whose time is less than `span` from `time`.
  bool HasSeen(uint64_t id, Millis time, Millis span) const;
  // Adds an id; drops the oldest beyond `limit`.
  void Remember(uint64_t id, Millis time, uint32_t limit);
  // Adds those of another user.
  void RememberAll(const UserState& other, uint32_t limit);
  void ForgetIds();
  size_t remembered_ids() const { return parts_[kIds].size; }

  // --- sequences in the log of the latest events, at most kRecentEvents ---

  std::span<const uint64_t> recent() const { return {Words(kRecent), parts_[kRecent].size}; }
  void AddRecent(uint64_t sequence);

  // --- state that few users have ---

  // The latest fact by time, for each kind and name.
  std::span<const Fact> facts() const { return rare_ ? std::span<const Fact>(rare_->facts) : std::span<const Fact>(); }
  const Fact* FindFact(FactKind kind, std::string_view name) const;
  void TakeIn(const Fact& fact);
  // Of triggers, as far back as cooldowns and caps need them.
  std::vector<Firing>& MakeFirings() { return MakeRare().firings; }

  std::span<const Firing> firings() const { return rare_ ? std::span<const Firing>(rare_->firings) : std::span<const Firing>(); }

  // Releases the texts that the user's values and keys hold.
  void ReleaseTexts(Interner* interner) const;
  // Swaps states with `other`; only the index in the engine's list stays.
  void Swap(UserState* other);
  // Drops everything except the id. The texts must have been released.
  void End();

  // Null until some sequence needs an event of the user.
  const SequenceState* sequences() const { return rare_ ? rare_->sequences.get() : nullptr; }
  SequenceState& MakeSequences() {
    auto& sequences = MakeRare().sequences;
    if (!sequences) sequences = std::make_unique<SequenceState>();
    return *sequences;
  }

  // Of a some(…) or top(…); null until an event of the user has the property.
  KeyStates* keys(uint32_t index) const { return rare_ && !rare_->keys.empty() ? rare_->keys[index].get() : nullptr; }
  KeyStates& MakeKeys(uint32_t index);

  // Past memberships of the tracked segments; null if nothing is kept.
  const Memberships* memberships() const { return rare_ ? rare_->memberships.get() : nullptr; }
  Memberships& MakeMemberships();

  size_t MemoryBytes() const;
  // Prefetch the user into the processor's cache: first this object, then, once it has arrived, the block.
  void Prefetch() const {
    for (size_t i = 0; i < sizeof(UserState); i += 64) __builtin_prefetch(reinterpret_cast<const char*>(this) + i);
  }
  void PrefetchBlock() const { block_.Prefetch(); }

 private:
  friend class Series;
  friend void WriteUser(const UserState& user, const Interner& interner, ByteWriter* out);
  friend bool ReadUser(ByteReader* in, Interner* interner, UserState* user);

  // The arrays. The first four are sparse: bits mark the elements that exist, and only those are stored, one word each.
  // Ids have a second lane of times.
  enum Part { kSeries, kTotals, kMembers, kDues, kSparse, kIds = kSparse, kRecent, kParts };

  struct Rare {
    std::vector<Fact> facts;
    std::unique_ptr<Memberships> memberships;
    std::vector<Firing> firings;
    absl::flat_hash_set<uint64_t> ids;  // of the remembered ids, if they are many
    absl::flat_hash_map<uint32_t, std::unique_ptr<LongSeries>> long_series;  // those with values, by index
    std::unique_ptr<SequenceState> sequences;
    std::vector<std::unique_ptr<KeyStates>> keys;
  };
  Rare& MakeRare();

  const uint64_t* Bits(Part part) const { return block_.words(program_.state.first[part]); }
  uint64_t* Words(Part part) { return block_.words(static_cast<uint32_t>(parts_[part].at)); }
  const uint64_t* Words(Part part) const { return block_.words(static_cast<uint32_t>(parts_[part].at)); }
  // The second lane of the ids.
  uint64_t* IdTimes() { return Words(kIds) + parts_[kIds].room; }
  const uint64_t* IdTimes() const { return Words(kIds) + parts_[kIds].room; }
  bool Has(Part part, uint32_t index) const { return Bits(part)[index / 64] >> index % 64 & 1; }
  uint32_t Rank(Part part, uint32_t index) const {
    const uint64_t* bits = Bits(part);
    int rank = 0;
    for (uint32_t w = 0; w < index / 64; ++w) rank += __builtin_popcountll(bits[w]);
    return static_cast<uint32_t>(rank + __builtin_popcountll(bits[index / 64] & ((uint64_t{1} << index % 64) - 1)));
  }
  const uint64_t* Find(Part part, uint32_t index) const { return Has(part, index) ? Words(part) + Rank(part, index) : nullptr; }
  uint32_t IndexOf(Part part, uint32_t rank) const;
  uint64_t* Make(Part part, uint32_t index);
  void Erase(Part part, uint32_t index);
  template <typename Fn>
  void ForEach(Part part, Fn fn) const {
    const uint64_t* items = Words(part);
    for (uint32_t w = program_.state.first[part]; w < program_.state.first[part + 1]; ++w) {
      for (uint64_t word = *block_.words(w); word != 0; word &= word - 1) {
        fn((w - program_.state.first[part]) * 64 + static_cast<uint32_t>(__builtin_ctzll(word)), *items++);
      }
    }
  }

  static uint32_t LanesOf(int part) { return part == kIds ? 2 : 1; }
  uint32_t Lanes(uint32_t series) const { return program_.series[series].field == kNone ? 1 : 2; }
  Array* FindHead(uint32_t series) { return reinterpret_cast<Array*>(const_cast<uint64_t*>(Find(kSeries, series))); }
  const Array* FindHead(uint32_t series) const { return reinterpret_cast<const Array*>(Find(kSeries, series)); }
  // Limits a series that has more entries than Program::long_series.
  void LimitSeries(uint32_t index, Series* series) const;
  // Makes room for more entries. If the block moves, so do the heads of series.
  void GrowPart(Part part);
  void GrowSeries(uint32_t series);
  void Move(Array* array, uint32_t room, uint32_t lanes);
  // Moves all arrays into a new block without unused space, with some room in each, and `growing_room` for the given
  // part or series.
  void Repack(int growing_part, uint32_t growing_series, uint32_t growing_room);

  const Program& program_;
  Block block_;
  Array parts_[kParts];
  uint32_t id_size_ = 0;
  std::unique_ptr<Rare> rare_;
};

// Writes all of a user except the id, as snapshots store it. Series, totals and conditions are indexed by their numbers
// in the program, so the bytes can only be read under the plan that wrote them (the snapshot names it). Under another
// plan the state is rebuilt from the log.
void WriteUser(const UserState& user, const Interner& interner, ByteWriter* out);
bool ReadUser(ByteReader* in, Interner* interner, UserState* user);

}  // namespace attune
