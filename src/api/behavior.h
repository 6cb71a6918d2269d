// The profile of a user as JSON: traits, segments, metrics, session, consents and the latest events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "engine/engine.h"
#include "log/log.h"

namespace attune {

// A profile without its events, which are read from the log on another thread.
struct Behavior {
  std::string before, after;     // the JSON around the events
  std::vector<uint64_t> recent;  // the sequences of the latest events in the log, in order
  size_t limit;                  // how many of them the answer shows
};

// `engine` holds the user. Call it on the thread of the user's shard.
Behavior BehaviorOf(const UserState& user, Millis now, size_t limit, Engine* engine);

// The whole profile, the latest event first; of events at one instant, the last in the log first. Events that the log
// no longer holds are left out. When the log cannot be read all are, since the rest of the profile does not need it.
std::string BehaviorJson(const Behavior& behavior, ReadableLog* log);

}  // namespace attune
