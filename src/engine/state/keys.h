// What the engine remembers of one user for one some(…) or top(…): for each value of the property, a *key*, what the
// expression within remembers of the events that carry it, and how it came out when it was last judged.
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

// A key with the state of the program within. It is a small user, except that its sessions, facts and segments are those of
// the user around it.
struct Key {
  Key(Stored v, const Program& program) : value(v), state("", 0, program) {}

  const Stored value;      // a use of a text is held
  UserState state;
  Millis last = kAlways;   // of the latest event that carries it
  uint64_t seen = 0;       // the event's number by arrival, which orders those of one millisecond
  uint64_t touched = 0;    // the same of the event that arrived last
  bool stale = true;       // to be evaluated again regardless of `until`

  // As judged. `holds`: some's expression is true; top lists the key, if there is room.
  bool holds = false;
  double number = 0;       // of top
  Millis until = kNever;
  Millis queued = kNever;  // the instant under which it was last put into the heap
};

// The order of keys by their latest events, the latest first.
inline bool SeenLater(const Key& a, const Key& b) { return a.last != b.last ? a.last > b.last : a.seen > b.seen; }

// An event costs its own key alone; time costs the keys that fall due. Keys live until the next Take.
class KeyStates {
 public:
  explicit KeyStates(const Program& within) : within_(within) {}

  // The key of an event, made when it is not there: it is stale then. Takes over a use of the text. Beyond `limit` keys
  // those whose last event arrived first are forgotten, many at a time.
  Key* Take(Stored value, Millis time, size_t limit, Interner* interner);
  // To be evaluated again before they are next read.
  void Invalidate(Key* key);
  void InvalidateAll() { all_stale_ = true; }

  // Those that held in the other one, a user's state so far, are taken to hold: so it is known which rise.
  void TakeHolding(const KeyStates& other);
  // None is taken to hold.
  void ForgetHolding();

  // Calls judge(key), which sets how it comes out at t and until when, for all that are stale or due.
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
  // Requires Refresh: how many hold, and the first instant at which one may come out otherwise.
  size_t holding() const { return holding_; }
  Millis NextDue();

  template <typename Fn>
  void ForEach(Fn fn) const {
    for (const auto& [bits, key] : keys_) fn(*key);
  }
  size_t size() const { return keys_.size(); }
  // Keys were forgotten because of the limit.
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
  void Forget(size_t limit, Interner* interner);  // requires that there are more

  const Program& within_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<Key>> keys_;  // by bits of the value
  std::vector<Due> dues_;      // a heap; those that a key has left behind are skipped
  std::vector<Key*> stale_;    // unless all are
  std::vector<Key*> at_hand_;
  uint64_t events_ = 0;
  size_t holding_ = 0;
  bool all_stale_ = false;
  bool truncated_ = false;
};

}  // namespace attune
