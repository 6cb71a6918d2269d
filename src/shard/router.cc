#include "shard/router.h"

#include <mutex>
#include <vector>

#include "base/check.h"
#include "log/record_type.h"
#include "log/shard_of.h"

namespace attune {

void Router::Restore(const Identity& identity) {
  const std::unique_lock hold(mutex_);
  identity.ForEachMerged([&](std::string_view id, std::string_view into) { asked_.Link(id, into); });
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
      asked_.Link(event.head.anonymous_id, event.head.user);
      type = RecordType::kLinking;
    } else if (asked_.MayLeadElsewhere(event.head.user)) {
      type = RecordType::kLinked;
    }
    event.entry->type = static_cast<uint8_t>(type);
  }
  return log->Append(entries, std::move(callback));
}

}  // namespace attune
