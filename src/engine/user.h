// What the engine remembers of one user.
#pragma once

#include <absl/container/flat_hash_set.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/program.h"
#include "engine/series.h"
#include "engine/sessions.h"
#include "engine/stored.h"

namespace attune {

// An array of which few elements exist: bits say which, the elements stand side by side. One user knows few of a plan's
// series.
template <typename T>
class Sparse {
 public:
  T* Find(uint32_t index) { return const_cast<T*>(std::as_const(*this).Find(index)); }
  const T* Find(uint32_t index) const {
    if (index / 64 >= bits_.size() || !(bits_[index / 64] >> index % 64 & 1)) return nullptr;
    return &items_[Rank(index)];
  }
  T& At(uint32_t index) {
    if (index / 64 >= bits_.size()) bits_.resize(index / 64 + 1);
    const size_t rank = Rank(index);
    if (!(bits_[index / 64] >> index % 64 & 1)) {
      bits_[index / 64] |= uint64_t{1} << index % 64;
      if (items_.size() == items_.capacity()) items_.reserve(items_.size() + 1 + items_.size() / 2);
      items_.insert(items_.begin() + static_cast<ptrdiff_t>(rank), T());
    }
    return items_[rank];
  }
  bool Has(uint32_t index) const { return index / 64 < bits_.size() && bits_[index / 64] >> index % 64 & 1; }
  void Erase(uint32_t index) {
    if (!Has(index)) return;
    items_.erase(items_.begin() + static_cast<ptrdiff_t>(Rank(index)));
    bits_[index / 64] &= ~(uint64_t{1} << index % 64);
  }
  // The elements without their indices, in order.
  const std::vector<T>& items() const { return items_; }
  // Calls fn(index, element) in order.
  template <typename Fn>
  void ForEach(Fn fn) const {
    size_t rank = 0;
    for (size_t w = 0; w < bits_.size(); ++w) {
      for (uint64_t word = bits_[w]; word != 0; word &= word - 1) {
        fn(static_cast<uint32_t>(w * 64 + static_cast<size_t>(__builtin_ctzll(word))), items_[rank++]);
      }
    }
  }
  size_t size() const { return items_.size(); }
  size_t MemoryBytes() const { return bits_.capacity() * 8 + items_.capacity() * sizeof(T); }

 private:
  size_t Rank(uint32_t index) const {
    size_t rank = 0;
    for (size_t w = 0; w < index / 64; ++w) rank += static_cast<size_t>(__builtin_popcountll(bits_[w]));
    const uint64_t below = (uint64_t{1} << index % 64) - 1;
    return rank + static_cast<size_t>(__builtin_popcountll(bits_[index / 64] & below));
  }

  std::vector<uint64_t> bits_;
  std::vector<T> items_;
};

// A running figure: of a count `number`; of a sum the two parts and how many; else a value and its event's time.
struct Total {
  union {
    double number = 0;
    uint64_t value;  // Stored bits
  };
  double low = 0;
  Millis time = 0;   // of a sum: the count of terms
};

// The message ids of one user's accepted events, as hashes, with their times: what duplicates are told by.
class SeenIds {
 public:
  // Whether an event with this id is remembered whose time is less than `span` from `time`.
  bool Within(uint64_t id, Millis time, Millis span) const;
  // Remembers one more; forgets the oldest beyond `limit`.
  void Add(uint64_t id, Millis time, size_t limit);

  size_t MemoryBytes() const { return ids_.capacity() * sizeof(Entry) + (index_ ? index_->capacity() * 9 : 0); }
  void Write(ByteWriter* out) const;
  bool Read(ByteReader* in);

 private:
  struct Entry {
    uint64_t id;
    Millis time;
  };
  void Index();

  std::vector<Entry> ids_;
  std::unique_ptr<absl::flat_hash_set<uint64_t>> index_;  // when there are many: an id not in it is new
};

struct Trait {
  std::string name;   // dotted
  Millis time;
  std::string json;   // as sent
};

struct Firing {
  ConditionId condition;
  Millis at;
};

// One of the user's latest events, for her profile. The rest of it is read back from the log.
struct RecentEvent {
  Interner::Id name;
  uint32_t record;  // the low half of its record's sequence; 0: not known
  Millis time;
};
inline constexpr size_t kRecentEvents = 10;

struct UserState {
  std::string id;
  Millis first_seen = kNever;
  Millis now = kAlways;        // the latest instant at which an event came or a condition changed
  Millis looked = kAlways;     // the latest instant at which a timer looked at her
  Millis armed = kNever;       // the instant under which she stands in the timer queue
  Millis next_due = kNever;    // the earliest of `dues`
  uint32_t slot = 0;           // her place in the engine's list of users
  bool dirty = false;          // changed since the last snapshot began
  bool in_snapshot = false;    // still to be written by the snapshot at hand

  Sparse<Series> series;
  Sparse<Total> totals;
  Sessions sessions;
  SeenIds seen;
  Sparse<Millis> members;       // conditions that hold now: since when
  Sparse<Millis> dues;          // conditions that may change by themselves: not before this instant
  std::vector<Firing> firings;  // of triggers, as far back as cooldowns and caps look
  std::vector<RecentEvent> recent;  // the latest kRecentEvents, in order of time
  std::unique_ptr<std::vector<Trait>> traits;

  void FindNextDue() {
    next_due = kNever;
    for (const Millis at : dues.items()) next_due = std::min(next_due, at);
  }
  void SetDue(ConditionId c, Millis at) {
    if (at != kNever) {
      dues.At(c) = at;
    } else {
      dues.Erase(c);
    }
  }

  size_t MemoryBytes() const;
};

// All of a user but her id, as snapshots keep it. Series, totals and conditions go by their numbers in the program, so
// the bytes can be read under the plan alone that wrote them (the snapshot names it); under another plan the state is
// built anew from the log.
void WriteUser(const UserState& user, const Program& program, const Interner& interner, ByteWriter* out);
bool ReadUser(ByteReader* in, const Program& program, Interner* interner, UserState* user);
// Gives back the texts that the user's values hold.
void ReleaseTexts(const Program& program, UserState* user, Interner* interner);

}  // namespace attune
