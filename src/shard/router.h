// Finds the shard of each event when it is appended, and marks the events that more than their own user's shard must see.
#pragma once

#include <shared_mutex>
#include <span>
#include <string_view>

#include "event/event.h"
#include "identity/identity.h"
#include "identity/linked_ids.h"
#include "log/file/log.h"

namespace attune {

// Knows which ids some record has asked to merge into others: more than those that were merged, as that is decided when
// the record is applied. So it may mark an event that leads nowhere else, and never leaves one out that does.
class Router {
 public:
  // What the identity of a recovered state, or of the state under a plan that is to come, holds: what records before this
  // process asked for under its plan. Any thread.
  void Restore(const Identity& identity);

  // Sets type and shard of each event among the entries, then appends them to the log: what is appended later sees the
  // links that these records ask for. Costs a lookup for each event, however many ids are linked. Any thread.
  Status Append(std::span<LogEntry> entries, Log* log, Log::Callback callback);

 private:
  mutable std::shared_mutex mutex_;
  LinkedIds asked_;
};

}  // namespace attune
