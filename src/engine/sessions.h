// One user's sessions: maximal runs of her events with gaps of at most `gap`, cut at `max`.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace attune {

struct SessionRules {
  Millis gap = 30 * kMinute;
  Millis max = kNever;         // kNever: sessions are not cut
  bool keep_all = true;        // some expression looks at more than the latest session
  size_t limit = 10'000;       // events (when sessions are cut) and sessions kept
};

struct Session {
  Millis first = 0;
  Millis last = 0;
  uint64_t first_id = 0;  // hash of the first event's id
  uint32_t events = 0;
};

class Sessions {
 public:
  // Takes in an event at its place. True when anything changed but the latest session's end: a session began, or a
  // late event moved, joined or cut sessions.
  bool Insert(Millis time, uint64_t id, const SessionRules& rules);

  // The latest session that has begun; null before the first event.
  const Session* latest() const { return sessions_.empty() ? nullptr : &sessions_.back(); }
  // The session open at t: the latest, while t - last <= gap.
  const Session* OpenAt(Millis t, const SessionRules& rules) const;
  // In order of time.
  const std::vector<Session>& all() const { return sessions_; }
  bool truncated() const { return truncated_; }

  size_t MemoryBytes() const { return sessions_.capacity() * sizeof(Session) + instants_.capacity() * sizeof(Instant); }
  void Write(ByteWriter* out) const;
  bool Read(ByteReader* in);

 private:
  struct Instant {
    Millis time;
    uint64_t id;
  };

  bool Append(Millis time, uint64_t id, const SessionRules& rules);
  void Join(Millis time, uint64_t id, Millis gap);
  void Recut(size_t inserted, const SessionRules& rules);
  void Trim(const SessionRules& rules);

  std::vector<Session> sessions_;
  std::vector<Instant> instants_;  // every event, when sessions are cut: where a cut falls depends on all of a run
  bool truncated_ = false;
};

}  // namespace attune
