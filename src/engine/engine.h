// The pure heart: state and a record in, new state and effects out. No clock, no randomness, no thread, no I/O. What it
// does is what docs/language.md says; testing/oracle holds it to that.
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
  bool corrected = false;  // a late event changed what had been said before
};

// A trigger went off.
struct TriggerFiring {
  Millis at = 0;
  const UserState* user = nullptr;
  ConditionId trigger = 0;
  std::string id;      // 32 hexadecimal digits, from the trigger, the user, the key and the instant alone
  std::string values;  // the expressions of `with` as a JSON object, nulls left out
  std::string key;     // as JSON; empty: none
};

// What came of a record. Cleared by the caller.
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

  // Takes in one record: fires the user's timers that are due before it, puts it at its place, judges what it touches.
  // A duplicate changes nothing.
  Applied Apply(const Record& record, Effects* effects);
  // The two halves of Apply, for a record whose second half must wait. Admit decides whether the record is a duplicate
  // (false), and else remembers its id and that it names the user; makes the user when there is none.
  bool Admit(const Record& record) { return AdmitUser(record) != nullptr; }
  // Of an admitted record, as Apply.
  Applied ApplyAdmitted(const Record& record, Effects* effects) { return ApplyTo(Find(record.user), record, effects); }

  // Begins to bring a user's state near, which lies anywhere in memory: called for each record some kExpect records
  // before it is applied, in their order.
  void Expect(std::string_view user);
  static constexpr size_t kExpect = 12;

  // --- histories that join and part (merge.cc) ---

  // A record that was applied before, to be applied again.
  struct PastRecord {
    uint64_t sequence;       // in the log; 0 when it comes from elsewhere
    std::string_view bytes;  // EncodeEvent
  };
  // The state of a user that is being made from a history, beside the users, so that the work can be done some records at a
  // time. Of one engine; give it back in the end.
  class Draft {
   public:
    Draft(Draft&&) noexcept = default;
    Draft& operator=(Draft&&) noexcept = default;

   private:
    friend class Engine;
    explicit Draft(std::unique_ptr<UserState> user) : user_(std::move(user)) {}
    std::unique_ptr<UserState> user_;
    Millis changed_from_ = kNever;  // memberships before this instant are right already
    bool ids_ = false;              // it remembers ids of its own
    bool in_order_ = true;          // it began empty: every record comes at its end
  };
  // An empty one. `ids`: it remembers the ids of the records that it takes in, and else keeps those of the user that it
  // replaces.
  Draft BeginDraft(std::string_view user, bool ids);
  // One with the state that WriteUser wrote of another user, whose history it goes on with. kCorrupt when the bytes do not
  // fit.
  Result<Draft> AdoptDraft(std::string_view user, std::string_view bytes);
  // Takes in a record of the history. False: it does nothing, since the record may have to come before one of the same
  // instant that the draft has (see CanAdd).
  bool AddTo(Draft* draft, const PastRecord& past, RecordReader* reader);
  void Discard(Draft draft);

  // A merge has two halves, as Apply has. Of a record that merges the history of `other`, a user of this engine or another,
  // into that of its user: the person remembers the ids of both, and the record's. Returns the person.
  UserState* AdmitMerge(const Record& merging, const UserState& other);
  // The person takes in the records of the one who ends, and the merging one; false: it does nothing, since the order of
  // some of them is not known, and the person must be made from both histories. Costs the records given, in the order of
  // event time and log. Ends `from`, a user of the engine `others` (this one or another of the same program), who leaves all
  // segments; then the person is judged as one who did what both did. The instant is the record's, or the latest of either
  // user.
  bool Absorb(const Record& merging, std::span<const PastRecord> records, Engine* others, UserState* from, RecordReader* reader,
              Effects* effects);
  // The same where the draft has all: the history of both, the merging record included.
  void Merge(const Record& merging, Engine* others, UserState* from, Draft draft, Effects* effects);
  // The user's state becomes the draft's, and is judged at the latest of `at`, the latest instant at which the user was, and
  // the draft's latest record. What was due before `at` comes first. Memberships change, but no trigger fires for that, nor
  // counts as fired: nothing happened. Makes the user when there is none. Returns it.
  UserState* Rebuild(std::string_view user, Millis at, Draft draft, Effects* effects);
  // The user leaves all segments and ends. Without `effects` the transitions are not returned.
  void End(UserState* user, Millis at, Effects* effects);

  // Whether Apply would drop the record of this user.
  bool IsDuplicate(const UserState& user, const Record& record) const;

  // Lets the clock pass `now`: fires all timers due at or before it, user by user.
  //
  // Apply, Merge, Rebuild, Advance and AdvanceUser each let a user's time pass, by any length. They report each change at
  // its own instant until there have been limits.catch_up of them. The instants after that are passed over: only the net
  // change is reported, at the last instant.
  void Advance(Millis now, Effects* effects);
  // The same for one user, as a replay does before it reads the user at `now`.
  void AdvanceUser(UserState* user, Millis now, Effects* effects);
  // No timer is due before this instant.
  Millis NextDue() const { return timers_.empty() ? kNever : timers_.top().at; }
  // Entries of the timer queue, stale ones among them: at most twice as many as users with a timer, and a few.
  size_t timer_entries() const { return timers_.size(); }

  // --- reading ---

  UserState* Find(std::string_view user) const;
  // Returns the user, and adds an empty one when there is none.
  UserState* FindOrAdd(std::string_view user) {
    UserState* found = Find(user);
    return found ? found : Add(user);
  }
  size_t user_count() const { return by_id_.size(); }
  // Users by their slot, in the order of their first record, those who have ended among them. A slot never changes its
  // user.
  std::deque<UserState>& users() { return users_; }
  // How many users hold a segment.
  size_t SegmentSize(ConditionId segment) const { return sizes_[segment]; }
  // The value of a node for a user at t, which is not before user.now. Lives until the next call.
  Timed Evaluate(NodeId node, const UserState& user, Millis t);
  // Whether the last Evaluate rests on less than the whole history (see the plan's limits.events).
  bool incomplete() const { return evaluator_.incomplete(); }
  // See Evaluator::WindowOf.
  bool WindowOf(const AggregateSpec& spec, const UserState& user, Millis t, Millis* low, Millis* high) {
    return evaluator_.WindowOf(spec, user, t, low, high);
  }
  // Both for one key of a some(…) or top(…), by its number: of a node or an aggregate of the program within.
  Timed EvaluateWithin(uint32_t keys, NodeId node, const UserState& user, const Key& key, Millis t);
  bool WindowWithin(uint32_t keys, const AggregateSpec& spec, const UserState& user, const Key& key, Millis t, Millis* low, Millis* high) {
    return evaluator_.WindowWithin(keys, spec, user, key, t, low, high);
  }
  // Whether a selector means the event.
  bool Selects(uint32_t selector, const Record& record);
  // When the user leaves the segment by herself; kNever when only an event can do it.
  Millis LapsesAt(const UserState& user, ConditionId segment, Millis t);

  // --- snapshots ---

  // Called with a user just before the user changes.
  void set_before_change(std::function<void(UserState*)> fn) { before_change_ = std::move(fn); }

  const Interner& interner() const { return interner_; }
  // Users changed since they were last taken here. Clears the list.
  std::vector<UserState*> TakeDirty();
  bool has_dirty() const { return !dirty_users_.empty(); }
  // Puts back a user that WriteUser wrote under this very plan. kCorrupt when the bytes do not fit.
  Status Restore(std::string_view id, std::string_view bytes);

  size_t MemoryBytes() const;
  // How many times conditions, and keys of some(…) and top(…), have been judged.
  uint64_t judgements() const { return judged_ + evaluator_.judged_keys(); }

 private:
  // The table of users keeps each one's hash beside the pointer, so that it is searched without looking at users.
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
  // The user's entry in the timer queue is stale, if there is one.
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
  uint64_t MostClockLooks() const {
    return std::max(kMostClockLooks, 10 * static_cast<uint64_t>(program_->plan->limit_catch_up));
  }
  uint64_t ClockLooks() const { return clock_looks_ + evaluator_.judged_clock_keys(); }
  void TakeIn(UserState* user, const Record& record);
  void TakeInFacts(UserState* user, const Record& record);
  // Into the key of its own that it has for a some(…) or top(…). `began`: a session did, or the event came late.
  void TakeInKey(UserState* user, uint32_t keys, const Record& record, std::span<const uint32_t> matched, bool began);
  // Marks the conditions that it can change, of those that listen to a selector that matched it (guard.cc).
  void MarkTouched(UserState* user, uint32_t selector, const Record& record);
  // Whether an event that the series' selector matches has a value for it.
  static bool TakesIn(const SeriesSpec& spec, const Record& record) {
    if (spec.field == kNone) return true;
    const Type type = record.fields[spec.field].type();
    return type != Type::kNull && type != Type::kList;
  }
  // Puts it into what is kept for a selector. As the two below:
  bool AddToSelector(UserState* user, uint32_t selector, const Record& record);
  // Whether the event is nothing but one more: what adds up over the series does not fall with it.
  bool AddToSeries(UserState* user, uint32_t index, const Record& record);
  bool AddToTotal(UserState* user, uint32_t index, const Record& record);
  bool Prune(UserState* user, uint32_t index);

  void Judge(UserState* user, Millis at, bool corrected, Effects* effects);
  void JudgeOne(UserState* user, ConditionId c, Millis at, bool corrected, Effects* effects);
  void JudgeKeys(UserState* user, ConditionId c, Millis at, Effects* effects);
  // A segment came to hold, or no more.
  void InvalidateKeysThatAsk(UserState* user, ConditionId segment);
  // A fact of that kind came.
  void InvalidateKeysThatAsk(UserState* user, FactKind kind);

  // The user of a record, made when there is none; null: the record is a duplicate.
  UserState* AdmitUser(const Record& record);
  Applied ApplyTo(UserState* user, const Record& record, Effects* effects);

  // merge.cc
  // Whether it is sure where a record belongs among those that the user has. What is kept of events has times and no
  // sequences, so where order counts the place of one is not known among others of its instant, unless it came last.
  bool CanAdd(const UserState& user, const Record& record, bool came_last);
  // Whether the order of the event among others of its instant counts in what is kept for the selectors that it matches. Of
  // a user, or of a key with the program of its own.
  static bool HasEqual(const UserState& state, const Program& program, std::span<const uint32_t> matched, Millis time);
  void Add(UserState* user, const Record& record);
  // Ends `from`. Returns the instant of the merge.
  Millis BeginMerge(const Record& merging, UserState* into, Engine* others, UserState* from, Effects* effects);
  void Replace(UserState* user, Draft draft, Millis at, Effects* effects);

  // retelling.cc
  void RememberPast(UserState* user, const Record& record);
  // Does not correct past memberships. Returns whether it was kept.
  bool KeepPast(UserState* user, const Record& record);
  bool MattersToThePast() const;
  void Retell(UserState* user, Millis from);
  void LiveAgain(UserState* user, const PastEvent& event);
  void NoteMembership(UserState* user, ConditionId c, Millis at, bool holds) {
    if (program_->tracked_of_segment[c] != kNone) user->MakeMemberships().Note(program_->tracked_of_segment[c], at, holds);
  }

  // triggers.cc
  void FireOn(UserState* user, const Record& record, Effects* effects);
  // `key`: of a trigger that fires for each; `key_json` is its value.
  void Fire(UserState* user, ConditionId c, Millis at, Effects* effects, const Key* key = nullptr, const std::string& key_json = "");
  bool MayFire(UserState* user, ConditionId c, Millis at, uint64_t key);
  bool IsWithinCaps(UserState* user, ConditionId c, Millis at, uint64_t key);

  std::shared_ptr<const Program> program_;
  Interner interner_;
  Evaluator evaluator_;
  std::deque<UserState> users_;
  absl::flat_hash_set<Entry, EntryHash, EntryEqual> by_id_;
  // Users asked for by Expect, at their next stage at every kAhead-th call.
  static constexpr size_t kAhead = 4;
  size_t expected_[2 * kAhead] = {};  // hashes, a ring
  size_t next_expected_ = 0;
  TimerQueue timers_;
  std::vector<size_t> sizes_;
  std::vector<UserState*> dirty_users_;
  ConditionSet not_false_;             // conditions that may hold, or come to, for a user of whom nothing is known
  ConditionSet dirty_;                 // conditions to judge; empty between calls
  std::vector<uint32_t> matched_;      // selectors that the record at hand matches
  std::vector<uint32_t> advanced_;     // sequences that it advanced
  std::vector<Value> past_fields_;     // of an event that is lived again
  std::vector<uint32_t> relived_;      // selectors that it matched
  std::function<void(UserState*)> before_change_;
  bool quiet_ = false;                 // no trigger fires
  bool due_ = false;                   // MarkDue marked one since this was last set to false
  uint64_t changes_ = 0;               // of conditions, each key's counted
  uint64_t judged_ = 0;
  uint64_t clock_looks_ = 0;           // judgements of conditions that were due and read the plan's clock
};

}  // namespace attune
