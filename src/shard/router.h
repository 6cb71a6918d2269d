// What an event is to the loops, said when it is appended: most concern the shard of their own user and no other.
#pragma once

#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "engine/identity.h"
#include "event/event.h"
#include "log/log.h"

namespace attune {

// Knows which ids some record has asked to merge into others: more than those that were merged, as that is decided when
// the record is applied. So it may send an event the longer way in vain, and never the shorter one wrongly.
class Router {
 public:
  // What a recovered identity holds.
  void Restore(const Identity& identity);

  // Says type and shard of each event among the entries, then appends them to the log: what is sent later finds what
  // these records ask for. Any thread.
  Status Append(std::span<LogEntry> entries, Log* log, Log::Callback callback);

 private:
  void Ask(std::string_view other, std::string_view user);

  mutable std::shared_mutex mutex_;
  TextMap<std::vector<std::string>> asked_;  // into which ids an id was asked to be merged
};

}  // namespace attune
