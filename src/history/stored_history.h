// A stored history, which can be read from its beginning as often as needed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/study_progress.h"
#include "history/history_run.h"
#include "identity/linked_ids.h"
#include "log/log.h"

namespace attune {

// One record of a history: an event, or the undoing of a merge.
struct HistoryRecord {
  std::string_view event;      // EncodeEvent; empty: a merge was undone
  std::string_view unmerged;
  Millis unmerged_at = 0;
};

class StoredHistory {
 public:
  virtual ~StoredHistory() = default;

  // Calls fn with each record, in the order in which the engine applies them, until fn returns false (then the status
  // is ok). Every reading gives the same records.
  virtual Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) = 0;
  // How many units of progress one reading has, and how many of the present reading are done. Any thread.
  virtual uint64_t size() const = 0;
  virtual uint64_t read() const = 0;
};

// The history of a log, which may be in use.
class LogHistory : public StoredHistory {
 public:
  // `log` must outlive this. `last_sequence`: the last record to read, 0 for none; nullopt: the last one found.
  LogHistory(ReadableLog* log, std::optional<uint64_t> last_sequence) : log_(*log), last_(last_sequence) {}

  // Errors: as ReadableLog and LogReader.
  Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) override;
  // The number of records; 0 if unknown.
  uint64_t size() const override { return last_.value_or(0); }
  uint64_t read() const override { return read_; }

 private:
  ReadableLog& log_;
  const std::optional<uint64_t> last_;
  std::atomic<uint64_t> read_{0};
};

// What a run needs to know about a history in advance.
struct HistoryOutline {
  LinkedIds linked;
  Millis first = kNever;   // times of the earliest and latest tracked event; unchanged if there is none
  Millis last = kAlways;
};

// Reads the history once, and updates the progress. kCorrupt, kIo: as the history; kUnavailable: cancelled.
Result<HistoryOutline> OutlineOf(StoredHistory* history, StudyProgress* progress);
// Reads it once more, through a run that was created with the linked ids. The same errors.
Status RunThrough(StoredHistory* history, StudyProgress* progress, HistoryRun* run);

}  // namespace attune
