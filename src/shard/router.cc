#include "shard/router.h"

#include <mutex>
#include <vector>

#include "log/shard_of.h"

namespace attune {

void Router::Restore(const Identity& identity) {
  const std::unique_lock hold(mutex_);
  identity.ForEachMerged([&](std::string_view id, std::string_view into) { asked_.Link(id, into); });
}

Status Router::Append(std::span<const NewRecord> records, Log* log, Log::Callback callback) {
  std::vector<LogEntry> entries;
  entries.reserve(records.size());
  bool links = false;
  for (const NewRecord& record : records) {
    const uint8_t shard = record.type == RecordType::kEvent ? ShardOf(record.user) : record.shard;
    entries.push_back({static_cast<uint8_t>(record.type), shard, record.payload});
    links |= !record.merges.empty();
  }
  // Held until the records have their positions in the log.
  std::shared_lock reading(mutex_, std::defer_lock);
  std::unique_lock writing(mutex_, std::defer_lock);
  if (links) {
    writing.lock();
  } else {
    reading.lock();
  }
  for (size_t i = 0; i < records.size(); ++i) {
    const NewRecord& record = records[i];
    if (record.type != RecordType::kEvent) continue;
    if (!record.merges.empty()) {
      asked_.Link(record.merges, record.user);
      entries[i].type = static_cast<uint8_t>(RecordType::kLinking);
    } else if (asked_.MayLeadElsewhere(record.user)) {
      entries[i].type = static_cast<uint8_t>(RecordType::kLinked);
    }
  }
  return log->Append(entries, std::move(callback));
}

}  // namespace attune
