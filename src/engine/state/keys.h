// The state of one user for one some(…) or top(…): for each value of the property, a *key*, the state of the expression
// within over the events that carry the value, and its last outcome.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "engine/program/program.h"
#include "engine/series/stored.h"
#include "engine/state/user.h"

namespace attune {

// A key with the state of the program within. It is like a user, except that sessions, facts and segments are those of
// the enclosing user.
struct Key {
  Key(Stored v, const Program& program) : value(v), state("", 0, program) {}

  const Stored value;      // holds a use of its text
  UserState state;
  Millis last = kAlways;   // of the latest event that carries it
  uint64_t seen = 0;       // the event's number by arrival, which orders events of the same instant
  uint64_t touched = 0;    // the number by arrival of the event that arrived last
  bool stale = true;       // must be evaluated again regardless of `until`

  // The last outcome. `holds`: some's expression is true; for top, the key can be listed.
  bool holds = false;
  double number = 0;       // for top
  Millis until = kNever;
  Millis queued = kNever;  // the instant of its latest entry in the heap
};

// The order of keys by their latest events, the latest first.
inline bool SeenLater(const Key& a, const Key& b) { return a.last != b.last ? a.last > b.last : a.seen > b.seen; }

// An event costs only its own key. Time costs only the keys that are due. Pointers to keys are valid until the next
// Take.
class KeyStates {
 public:
  explicit KeyStates(const Program& within) : within_(within) {}

  // Returns the key of an event. Adds it as stale if it is absent. Takes ownership of a use of the text. Beyond `limit`
  // keys, drops those whose last event arrived first, in batches.
  Key* Take(Stored value, Millis time, size_t limit, Interner* interner);
  // The key is evaluated again before it is next read.
  void Invalidate(Key* key);
  void InvalidateAll() { all_stale_ = true; }

  // Copies which keys hold from `other`, the user's state so far. So the next evaluation finds which keys begin to
  // hold.
  void CopyHolding(const KeyStates& other);
  // Sets all keys to not hold.
  void ClearHolding();

  // Calls judge(key), which sets the outcome at t and how long it lasts, for all keys that are stale or due.
  template <typename Judge>
  void Refresh(Millis t, Judge judge) {
    TakeStale(t);
    for (Key* key : at_hand_) {
      const bool held = key->holds;
      judge(key);
      holding_ += static_cast<size_t>(key->holds) - static_cast<size_t>(held);
      key->stale = false;
      SetDue(key);
    }
    at_hand_.clear();
  }
  // Requires Refresh. The number of keys that hold, and the first instant at which another outcome is possible.
  size_t holding() const { return holding_; }
  Millis NextDue();

  template <typename Fn>
  void ForEach(Fn fn) const {
    for (const auto& [bits, key] : keys_) fn(*key);
  }
  size_t size() const { return keys_.size(); }
  // Keys were dropped at the limit.
  bool truncated() const { return truncated_; }

  void ReleaseTexts(Interner* interner);
  size_t MemoryBytes() const;
  void Write(const Interner& interner, ByteWriter* out) const;
  bool Read(Interner* interner, ByteReader* in);

 private:
  struct Due {
    Millis at;
    uint64_t key;
    bool operator>(const Due& other) const { return at > other.at; }
  };

  void TakeStale(Millis t);
  void SetDue(Key* key);
  Key* PopDue();
  bool IsDue(const Due& due) const;
  void Forget(size_t limit, Interner* interner);  // requires more keys than `limit`

  const Program& within_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Key>> keys_;  // by bits of the value
  std::vector<Due> dues_;      // a heap; obsolete entries are skipped
  std::vector<Key*> stale_;    // unless all are stale
  std::vector<Key*> at_hand_;
  uint64_t events_ = 0;
  size_t holding_ = 0;
  bool all_stale_ = false;
  bool truncated_ = false;
};

}  // namespace attune
