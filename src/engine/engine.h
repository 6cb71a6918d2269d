// The engine: takes state and a record, and returns new state and effects. It has no clock, randomness, threads or I/O.
// docs/language.md defines what it does; testing/oracle checks it.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "engine/evaluate/evaluate.h"
#include "engine/program/program.h"
#include "engine/record.h"
#include "engine/state/timer_queue.h"
#include "engine/state/user.h"

namespace attune {

struct Key;

// A change of membership.
struct Transition {
  Millis at = 0;
  const UserState* user = nullptr;
  ConditionId segment = 0;
  bool enter = false;
  bool corrected = false;  // a late event changed a membership that was already reported
};

// One firing of a trigger.
struct TriggerFiring {
  Millis at = 0;
  const UserState* user = nullptr;
  ConditionId trigger = 0;
  std::string id;      // 32 hexadecimal digits, a function of the trigger, the user, the key and the instant only
  std::string values;  // the expressions of `with` as a JSON object, nulls left out
  std::string key;     // as JSON; empty: none
};

// The effects of a record. The caller clears them.
struct Effects {
  std::vector<Transition> transitions;
  std::vector<TriggerFiring> firings;
};

enum class Applied { kNew, kLate, kDuplicate };

// The users of one shard. One thread.
class Engine {
 public:
  explicit Engine(std::shared_ptr<const Program> program);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Program& program() const { return *program_; }
  const std::shared_ptr<const Program>& shared_program() const { return program_; }

  // Applies one record: fires the user's timers that are due before it, inserts it into the history, and judges what it
  // affects. A duplicate changes nothing.
  Applied Apply(const Record& record, Effects* effects);
  // The two halves of Apply, for a record whose second half must wait. Admit returns false if the record is a
  // duplicate. Otherwise it stores the record's id and whether the record names the user, and adds the user if there is
  // none.
  bool Admit(const Record& record) { return AdmitUser(record) != nullptr; }
  // The second half, for an admitted record.
  Applied ApplyAdmitted(const Record& record, Effects* effects) { return ApplyTo(Find(record.user), record, effects); }

  // Prefetches a user's state, which can be anywhere in memory. Call it for each record, in order, kExpect records
  // before the record is applied.
  void Expect(std::string_view user);
  static constexpr size_t kExpect = 12;

  // --- merging and parting histories (merge.cc) ---

  // A record that was applied before and is applied again.
  struct PastRecord {
    uint64_t sequence;       // in the log; 0 when it comes from elsewhere
    std::string_view bytes;  // EncodeEvent
  };
  // The state of a user that is being built from a history, outside the list of users, so that the work can be split
  // into steps. Belongs to one engine and must be given back to it.
  class Draft {
   public:
    Draft(Draft&&) noexcept = default;
    Draft& operator=(Draft&&) noexcept = default;

   private:
    friend class Engine;
    explicit Draft(std::unique_ptr<UserState> user) : user_(std::move(user)) {}
    std::unique_ptr<UserState> user_;
    Millis changed_from_ = kNever;  // memberships before this instant are already right
    bool ids_ = false;              // it has its own message ids
    bool in_order_ = true;          // it began empty, so every record comes last
  };
  // Returns an empty draft. `ids`: the draft remembers the ids of its records. Otherwise it takes the ids of the user
  // that it replaces.
  Draft BeginDraft(std::string_view user, bool ids);
  // Returns a draft with the state that WriteUser wrote for another user, to be continued with `user`'s records.
  // kCorrupt if the bytes are invalid.
  Result<Draft> AdoptDraft(std::string_view user, std::string_view bytes);
  // Adds a record of the history. Returns false and does nothing if the record may have to come before one of the same
  // instant that the draft already has (see CanAdd).
  bool AddTo(Draft* draft, const PastRecord& past, RecordReader* reader);
  void Discard(Draft draft);

  // A merge has two halves, as Apply has. AdmitMerge takes a record that merges the history of `other`, a user of this
  // engine or another, into that of its user. The person then has the ids of both and of the record. Returns the
  // person.
  UserState* AdmitMerge(const Record& merging, const UserState& other);
  // The second half. Adds the records of the user that ends, and the merging record, to the person. Returns false and
  // does nothing if the order of some of them is not known; the person must then be built from both histories.
  // `records` are in the order of event time and log. Ends `from`, a user of the engine `others` (this one or another
  // of the same program), which leaves all segments. Then judges the person with both histories, at the record's
  // instant or the latest instant of either user.
  bool Absorb(const Record& merging, std::span<const PastRecord> records, Engine* others, UserState* from, RecordReader* reader,
              Effects* effects);
  // The same with a draft that has the history of both, including the merging record.
  void Merge(const Record& merging, Engine* others, UserState* from, Draft draft, Effects* effects);
  // Replaces the user's state by the draft's. Fires what was due before `at` first. Then judges the user at the latest
  // of `at`, the user's clock, and the draft's latest record. Memberships change, but no trigger fires or counts as
  // fired. Adds the user if there is none. Returns it.
  UserState* Rebuild(std::string_view user, Millis at, Draft draft, Effects* effects);
  // Removes the user from all segments and ends it. If `effects` is null, the transitions are not returned.
  void End(UserState* user, Millis at, Effects* effects);

  // Returns whether Apply would drop the record as a duplicate.
  bool IsDuplicate(const UserState& user, const Record& record) const;

  // Advances the clock to `now`: fires all timers due at or before it, user by user.
  //
  // Apply, Merge, Rebuild, Advance and AdvanceUser each advance a user's time, by any length. They report each change
  // at its own instant until there have been limits.catch_up changes. Later instants are skipped: only the net change
  // is reported, at the last instant.
  void Advance(Millis now, Effects* effects);
  // The same for one user. A replay calls it before it reads the user at `now`.
  void AdvanceUser(UserState* user, Millis now, Effects* effects);
  // No timer is due before this instant.
  Millis NextDue() const { return timers_.empty() ? kNever : timers_.top().at; }
  // Entries of the timer queue, including stale ones: at most twice the number of users with a timer, plus a constant.
  size_t timer_entries() const { return timers_.size(); }

  // --- reading ---

  UserState* Find(std::string_view user) const;
  // Returns the user. Adds an empty one if there is none.
  UserState* FindOrAdd(std::string_view user) {
    UserState* found = Find(user);
    return found ? found : Add(user);
  }
  size_t user_count() const { return by_id_.size(); }
  // Users by slot, in the order of their first record, including users that have ended. A slot never changes its user.
  std::deque<UserState>& users() { return users_; }
  // The number of users in a segment.
  size_t SegmentSize(ConditionId segment) const { return sizes_[segment]; }
  // The value of a node for a user at t, which must not be before user.now. Valid until the next call.
  Timed Evaluate(NodeId node, const UserState& user, Millis t);
  // Whether the last Evaluate lacked events that the plan's limit (limits.events) dropped.
  bool incomplete() const { return evaluator_.incomplete(); }
  // See Evaluator::WindowOf.
  bool WindowOf(const AggregateSpec& spec, const UserState& user, Millis t, Millis* low, Millis* high) {
    return evaluator_.WindowOf(spec, user, t, low, high);
  }
  // Evaluate and WindowOf for one key of a some(…) or top(…) with number `keys`. The node or aggregate is of the
  // program within.
  Timed EvaluateWithin(uint32_t keys, NodeId node, const UserState& user, const Key& key, Millis t);
  bool WindowWithin(uint32_t keys, const AggregateSpec& spec, const UserState& user, const Key& key, Millis t, Millis* low, Millis* high) {
    return evaluator_.WindowWithin(keys, spec, user, key, t, low, high);
  }
  // Whether a selector matches the event.
  bool Selects(uint32_t selector, const Record& record);
  // When the user leaves the segment without an event; kNever if only an event can end the membership.
  Millis LapsesAt(const UserState& user, ConditionId segment, Millis t);

  // --- snapshots ---

  // `fn` is called with a user just before the user changes.
  void set_before_change(std::function<void(UserState*)> fn) { before_change_ = std::move(fn); }

  const Interner& interner() const { return interner_; }
  // Returns the users that changed since the last call, and clears the list.
  std::vector<UserState*> TakeDirty();
  bool has_dirty() const { return !dirty_users_.empty(); }
  // Restores a user that WriteUser wrote under the same plan. kCorrupt if the bytes are invalid.
  Status Restore(std::string_view id, std::string_view bytes);

  size_t MemoryBytes() const;
  // The number of judgements of conditions, and of keys of some(…) and top(…).
  uint64_t judgements() const { return judged_ + evaluator_.judged_keys(); }

 private:
  // The table of users keeps each hash next to the pointer, so a lookup does not touch other users.
  struct Entry {
    size_t hash;
    UserState* user;
  };
  struct Id {
    size_t hash;
    std::string_view text;
  };
  struct EntryHash {
    using is_transparent = void;
    size_t operator()(const Entry& entry) const { return entry.hash; }
    size_t operator()(const Id& id) const { return id.hash; }
    size_t operator()(size_t hash) const { return hash; }
  };
  struct EntryEqual {
    using is_transparent = void;
    bool operator()(const Entry& a, const Entry& b) const { return a.user == b.user; }
    bool operator()(const Entry& a, const Id& id) const { return a.hash == id.hash && a.user->id() == id.text; }
    bool operator()(const Entry& a, size_t hash) const { return a.hash == hash; }
  };

  UserState* Add(std::string_view id);
  void Touch(UserState* user);
  void Arm(UserState* user);
  // Makes the user's entry in the timer queue stale, if there is one.
  void Disarm(UserState* user);
  void DropStaleTimers();

  void MarkDue(UserState* user, Millis by);
  void FireTimers(UserState* user, Millis before, Effects* effects) {
    if (user->next_due < before) CatchUp(user, before, effects);
  }
  void CatchUp(UserState* user, Millis before, Effects* effects);
  void PassOver(UserState* user, Millis last, Effects* effects);
  void MarkAll(UserState* user);

  // Bounds the judgements of conditions that read the plan's clock while a user's time passes. Most such conditions are soon
  // judged only where they change, so limits.catch_up bounds them first. Others, such as `abs(hour() - 12) < 13`, are due
  // every hour and may never change.
  static constexpr uint64_t kMostClockLooks = 300'000;
  static constexpr uint64_t kPatientAfter = 100;  // looks after which the evaluator becomes patient
  uint64_t MaxClockJudgements() const {
    return std::max(kMostClockLooks, 10 * static_cast<uint64_t>(program_->plan->limit_catch_up));
  }
  uint64_t ClockLooks() const { return clock_judgements_ + evaluator_.judged_clock_keys(); }
  void TakeIn(UserState* user, const Record& record);
  void TakeInFacts(UserState* user, const Record& record);
  // Adds the record to its key of a some(…) or top(…). `began`: a session began, or the event was late.
  void TakeInKey(UserState* user, uint32_t keys, const Record& record, std::span<const uint32_t> matched, bool began);
  // Marks the conditions that the event can change, among those that listen to a selector that matched it (touched.cc).
  void MarkTouched(UserState* user, uint32_t selector, const Record& record);
  // Whether the series takes an event that its selector matches: whether the event has a value for it.
  static bool TakesIn(const SeriesSpec& spec, const Record& record) {
    if (spec.field == kNone) return true;
    const Type type = record.fields[spec.field].type();
    return type != Type::kNull && type != Type::kList;
  }
  // Adds the record to what is kept for a selector. Returns the same as AddToSeries.
  bool AddToSelector(UserState* user, uint32_t selector, const Record& record);
  // Returns false if the limit dropped other events or the value is negative, so that a count or sum may have fallen.
  bool AddToSeries(UserState* user, uint32_t index, const Record& record);
  bool AddToTotal(UserState* user, uint32_t index, const Record& record);
  bool Prune(UserState* user, uint32_t index);

  void Judge(UserState* user, Millis at, bool corrected, Effects* effects);
  void JudgeOne(UserState* user, ConditionId c, Millis at, bool corrected, Effects* effects);
  void JudgeKeys(UserState* user, ConditionId c, Millis at, Effects* effects);
  // A segment was entered or left.
  void InvalidateDependentKeys(UserState* user, ConditionId segment);
  // A fact of that kind changed.
  void InvalidateDependentKeys(UserState* user, FactKind kind);

  // Returns the user of a record, and adds it if there is none. Returns null if the record is a duplicate.
  UserState* AdmitUser(const Record& record);
  Applied ApplyTo(UserState* user, const Record& record, Effects* effects);

  // merge.cc
  // Returns whether the place of a record among the user's records is certain. State keeps times of events but not
  // their sequences. So where order matters, the place among events of the same instant is unknown unless the record
  // came last.
  bool CanAdd(const UserState& user, const Record& record, bool came_last);
  // Whether another event of the same instant exists for one of the matched selectors and the order of the two matters.
  // The state is a user's, or a key's with the program within.
  static bool HasEqual(const UserState& state, const Program& program, std::span<const uint32_t> matched, Millis time);
  void Add(UserState* user, const Record& record);
  // Ends `from`. Returns the instant of the merge.
  Millis BeginMerge(const Record& merging, UserState* into, Engine* others, UserState* from, Effects* effects);
  void Replace(UserState* user, Draft draft, Millis at, Effects* effects);

  // retelling.cc
  void RememberPast(UserState* user, const Record& record);
  // Does not correct past memberships. Returns whether the record was kept.
  bool KeepPast(UserState* user, const Record& record);
  bool AffectsTracked() const;
  void Retell(UserState* user, Millis from);
  void ApplyPast(UserState* user, const PastEvent& event);
  void NoteMembership(UserState* user, ConditionId c, Millis at, bool holds) {
    if (program_->tracked_of_segment[c] != kNone) user->MakeMemberships().Note(program_->tracked_of_segment[c], at, holds);
  }

  // triggers.cc
  void FireOn(UserState* user, const Record& record, Effects* effects);
  // `key`: of a trigger that fires for each key; `key_json` is its value.
  void Fire(UserState* user, ConditionId c, Millis at, Effects* effects, const Key* key = nullptr, const std::string& key_json = "");
  bool MayFire(UserState* user, ConditionId c, Millis at, uint64_t key);
  bool IsWithinCaps(UserState* user, ConditionId c, Millis at, uint64_t key);

  std::shared_ptr<const Program> program_;
  Interner interner_;
  Evaluator evaluator_;
  std::deque<UserState> users_;
  absl::flat_hash_set<Entry, EntryHash, EntryEqual> by_id_;
  // Users that Expect was called for. Each moves to its next stage at every kAhead-th call.
  static constexpr size_t kAhead = 4;
  size_t expected_[2 * kAhead] = {};  // hashes, a ring
  size_t next_expected_ = 0;
  TimerQueue timers_;
  std::vector<size_t> sizes_;
  std::vector<UserState*> dirty_users_;
  ConditionSet not_false_;             // conditions that can hold for a user without records, now or later
  ConditionSet dirty_;                 // conditions to judge; empty between calls
  std::vector<uint32_t> matched_;      // selectors that match the current record
  std::vector<uint32_t> advanced_;     // sequences that the current record advanced
  std::vector<Value> past_fields_;     // of a past event that is applied again
  std::vector<uint32_t> past_matched_;      // selectors that it matched
  std::function<void(UserState*)> before_change_;
  bool quiet_ = false;                 // triggers do not fire
  bool due_ = false;                   // set by MarkDue when it marks a condition
  uint64_t changes_ = 0;               // of conditions, counting each key
  uint64_t judged_ = 0;
  uint64_t clock_judgements_ = 0;           // judgements of due conditions that read the plan's clock
};

}  // namespace attune
