#include "shard/stored_history.h"

#include <algorithm>

#include "base/check.h"
#include "log/reader.h"
#include "shard/shard.h"

namespace attune {

Status LogHistory::ForEach(const std::function<bool(std::string_view bytes)>& fn) {
  read_ = 0;
  if (last_ == 0u) return {};  // to a reader 0 means all that is there, half written records of a running log included
  auto reader = LogReader::Open(dir_, 1, {.last_sequence = last_.value_or(0)});
  if (!reader.ok()) return reader.error();
  RecordView record;
  while (true) {
    const auto more = reader->Next(&record);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    read_.store(record.sequence, std::memory_order_relaxed);
    if (record.type == static_cast<uint8_t>(RecordType::kEvent) && !fn(record.payload)) return {};
  }
}

Status ReadThrough(StoredHistory* history, StudyProgress* progress, const std::function<void(std::string_view bytes)>& fn) {
  const uint64_t before = progress->done;
  const Status read = history->ForEach([&](std::string_view bytes) {
    fn(bytes);
    progress->done.store(before + history->read(), std::memory_order_relaxed);
    return !progress->cancelled;
  });
  if (!read.ok()) return read;
  if (progress->cancelled) return Error{ErrorCode::kUnavailable, "cancelled"};
  progress->done = before + history->size();
  return {};
}

Result<HistoryOutline> OutlineOf(StoredHistory* history, StudyProgress* progress) {
  HistoryOutline outline;
  const Status read = ReadThrough(history, progress, [&](std::string_view bytes) {
    const auto event = DecodeEvent(bytes);
    ATTUNE_CHECK(event.ok(), "an admitted event can be read");
    outline.linked.TakeIn(event->head);
    if (event->head.kind != EventKind::kTrack) return;
    outline.first = std::min(outline.first, event->head.time);
    outline.last = std::max(outline.last, event->head.time);
  });
  if (!read.ok()) return read.error();
  return outline;
}

}  // namespace attune
