// History files as a stored history: read, admitted and encoded anew each time.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "history/history_file.h"
#include "history/stored_history.h"
#include "ingest/tracking_plan.h"

namespace attune {

class FileHistory : public StoredHistory {
 public:
  // Plain files, so that they can be read again. The plan and the mapping (null: NDJSON) must outlive this.
  FileHistory(std::vector<std::string> paths, const Plan& plan, const CsvMapping* mapping);

  // kNotFound, kIo, kInvalid: as HistoryReader says. Events that are refused are passed over.
  Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) override;
  // Bytes of the files as they lie there.
  uint64_t size() const override { return size_; }
  uint64_t read() const override { return read_; }

  // Of the latest reading.
  uint64_t accepted() const { return accepted_; }
  uint64_t refused() const { return refused_; }

 private:
  const std::vector<std::string> paths_;
  TrackingPlan admission_;
  const CsvMapping* const mapping_;
  uint64_t size_ = 0;
  std::atomic<uint64_t> read_{0};
  uint64_t accepted_ = 0;
  uint64_t refused_ = 0;
};

// Another history with a progress bar for each reading.
class ShownHistory : public StoredHistory {
 public:
  // `history` must outlive this. `what`: of the readings, in their order; the last one is of all that follow.
  ShownHistory(StoredHistory* history, std::vector<std::string> what) : history_(*history), what_(std::move(what)) {}

  Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) override;
  uint64_t size() const override { return history_.size(); }
  uint64_t read() const override { return history_.read(); }

 private:
  StoredHistory& history_;
  const std::vector<std::string> what_;
  size_t reading_ = 0;
};

}  // namespace attune
