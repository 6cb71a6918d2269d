// One user's sessions: maximal runs of the user's events with gaps of at most `gap`, cut at `max`.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"

namespace attune {

struct SessionRules {
  Millis gap = 30 * kMinute;
  Millis max = kNever;         // kNever: sessions are not cut
  bool keep_all = true;        // some expression reads more than the latest session
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
  // Adds an event at its place. Returns true if more than the latest session's end changed: a session began, or a late
  // event moved, joined or cut sessions.
  bool Insert(Millis time, uint64_t id, const SessionRules& rules);

  // The latest session; null before the first event.
  const Session* latest() const { return latest_.events > 0 ? &latest_ : nullptr; }
  // The session open at t: the latest, while t - last <= gap.
  const Session* OpenAt(Millis t, const SessionRules& rules) const;
  // In order of time.
  size_t size() const { return (latest_.events > 0 ? 1 : 0) + (past_ ? past_->sessions.size() : 0); }
  const Session& operator[](size_t i) const { return past_ && i < past_->sessions.size() ? past_->sessions[i] : latest_; }
  // The number of sessions that began at or before t.
  size_t CountUpTo(Millis t) const;
  // Sessions or events were dropped because of the limit.
  bool truncated() const { return past_ && past_->truncated; }

  size_t MemoryBytes() const;
  void Write(ByteWriter* out) const;
  bool Read(ByteReader* in);

 private:
  struct Instant {
    Millis time;
    uint64_t id;
  };

  bool Append(Millis time, uint64_t id, const SessionRules& rules);
  // Applies `change` to all sessions.
  template <typename Change>
  void ChangeAll(Change change);
  void Join(Millis time, uint64_t id, Millis gap);
  void Recut(size_t inserted, const SessionRules& rules);
  void Trim(const SessionRules& rules);

  // Most users have only one session, so others are stored separately.
  struct Past {
    std::vector<Session> sessions;   // before the latest
    std::vector<Instant> instants;   // every event, if sessions are cut: a cut depends on all events of a run
    bool truncated = false;
  };
  Past& MakePast() {
    if (!past_) past_ = std::make_unique<Past>();
    return *past_;
  }

  Session latest_;  // without events: there is none
  std::unique_ptr<Past> past_;
};

}  // namespace attune
