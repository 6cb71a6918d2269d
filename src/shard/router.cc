#include "shard/router.h"

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "shard/record_type.h"
#include "shard/shard_of.h"

namespace attune {

void Router::Restore(const Identity& identity) {
  const std::unique_lock hold(mutex_);
  identity.ForEachMerged([&](std::string_view id, std::string_view into) { asked_[id].emplace_back(into); });
}

Status Router::Append(std::span<LogEntry> entries, Log* log, Log::Callback callback) {
  struct Event {
    LogEntry* entry;
    EventHead head;
  };
  std::vector<Event> events;
  events.reserve(entries.size());
  bool links = false;
  for (LogEntry& entry : entries) {
    if (entry.type != static_cast<uint8_t>(RecordType::kEvent)) continue;
    const auto event = DecodeEvent(entry.payload);
    ATTUNE_CHECK(event.ok(), "what is appended as an event is one");
    entry.shard = ShardOf(event->head.user);
    events.push_back({&entry, event->head});
    links |= Identity::AsksToMerge(event->head);
  }
  // Held until the records have their places in the log.
  std::shared_lock reading(mutex_, std::defer_lock);
  std::unique_lock writing(mutex_, std::defer_lock);
  if (links) {
    writing.lock();
  } else {
    reading.lock();
  }
  for (const Event& event : events) {
    RecordType type = RecordType::kEvent;
    if (Identity::AsksToMerge(event.head)) {
      Ask(event.head.anonymous_id, event.head.user);
      type = RecordType::kLinking;
    } else if (!asked_.empty() && asked_.contains(event.head.user)) {
      type = RecordType::kLinked;
    }
    event.entry->type = static_cast<uint8_t>(type);
  }
  return log->Append(entries, std::move(callback));
}

// Who bears the history of `other` by now may be any whom it was asked to be merged into, and so on.
void Router::Ask(std::string_view other, std::string_view user) {
  std::vector<std::string> ways = {std::string(other)};
  for (size_t i = 0; i < ways.size(); ++i) {
    if (ways[i] == user) continue;
    std::vector<std::string>& into = asked_[ways[i]];
    for (const std::string& next : into) {
      if (std::find(ways.begin(), ways.end(), next) == ways.end()) ways.push_back(next);
    }
    if (std::find(into.begin(), into.end(), user) == into.end()) into.emplace_back(user);
  }
}

}  // namespace attune
