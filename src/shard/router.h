// Finds the shard of each event when it is appended, and marks the events that more than their own user's shard must see.
#pragma once

#include <shared_mutex>
#include <span>

#include "identity/identity.h"
#include "identity/linked_ids.h"
#include "log/log.h"
#include "shard/new_record.h"

namespace attune {

// Knows which ids some record has asked to merge into others: more than those that were merged, as that is decided when
// the record is applied. So it may mark an event that leads nowhere else, and never leaves one out that does.
class Router {
 public:
  // Takes in what the identity of a recovered state, or of the state under a plan that is to come, holds: what records before
  // this process asked for under its plan. Any thread.
  void Restore(const Identity& identity);

  // Appends the records to the log, each event with its shard and the type that the links require. Records that are appended
  // later see the links that these ask for. Costs a lookup for each event, however many ids are linked. See Log::Append.
  // Any thread.
  Status Append(std::span<const NewRecord> records, Log* log, Log::Callback callback);

 private:
  mutable std::shared_mutex mutex_;
  LinkedIds asked_;
};

}  // namespace attune
