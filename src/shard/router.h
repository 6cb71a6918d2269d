// Finds the shard of each event when it is appended, and marks the events that shards other than their user's must see.
#pragma once

#include <shared_mutex>
#include <span>

#include "identity/identity.h"
#include "identity/linked_ids.h"
#include "log/log.h"
#include "shard/new_record.h"

namespace attune {

// Tracks which ids some record has asked to merge into others. These are a superset of the merged ids, since the merge
// is decided when the record is applied. So the router may mark an event whose id leads nowhere else, but it never
// misses one.
class Router {
 public:
  // Adds the identity of recovered state, or of the state under a new plan: the links of records before this process
  // under that plan. Any thread.
  void Restore(const Identity& identity);

  // Appends the records to the log, each event with its shard and the type that the links require. Records that are
  // appended later see the links of these. Costs one lookup for each event, however many ids are linked. See
  // Log::Append. Any thread.
  Status Append(std::span<const NewRecord> records, Log* log, Log::Callback callback);

 private:
  mutable std::shared_mutex mutex_;
  LinkedIds asked_;
};

}  // namespace attune
