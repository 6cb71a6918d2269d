#include "history/stored_history.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "log/record_type.h"

namespace attune {

namespace {

// Nullopt: the record changes no history.
std::optional<HistoryRecord> ReadRecord(const RecordView& record) {
  if (HoldsEvent(record.type)) return HistoryRecord{record.payload, {}, 0};
  if (record.type != static_cast<uint8_t>(RecordType::kUndoMerge)) return std::nullopt;
  ByteReader in(record.payload);
  const Millis at = in.I64();
  return HistoryRecord{{}, in.String(), at};
}

// Reads once, and updates the progress.
Status ReadThrough(StoredHistory* history, StudyProgress* progress, const std::function<void(const HistoryRecord&)>& fn) {
  const uint64_t before = progress->done;
  const Status read = history->ForEach([&](const HistoryRecord& record) {
    fn(record);
    progress->done.store(before + history->read(), std::memory_order_relaxed);
    return !progress->cancelled;
  });
  if (!read.ok()) return read;
  if (progress->cancelled) return Error{ErrorCode::kUnavailable, "cancelled"};
  progress->done = before + history->size();
  return {};
}

}  // namespace

Status LogHistory::ForEach(const std::function<bool(const HistoryRecord&)>& fn) {
  read_ = 0;
  auto reader = log_.NewReader(1, last_);
  if (!reader.ok()) return reader.error();
  RecordView record;
  while (true) {
    const auto more = (*reader)->Next(&record);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    read_.store(record.sequence, std::memory_order_relaxed);
    const auto read = ReadRecord(record);
    if (read && !fn(*read)) return {};
  }
}

Status RunThrough(StoredHistory* history, StudyProgress* progress, HistoryRun* run) {
  return ReadThrough(history, progress, [&](const HistoryRecord& record) {
    if (record.event.empty()) {
      run->UndoMerge(record.unmerged, record.unmerged_at);
    } else {
      run->Apply(record.event);
    }
  });
}

Result<HistoryOutline> OutlineOf(StoredHistory* history, StudyProgress* progress) {
  HistoryOutline outline;
  const Status read = ReadThrough(history, progress, [&](const HistoryRecord& record) {
    if (record.event.empty()) return;
    const auto event = DecodeEvent(record.event);
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
