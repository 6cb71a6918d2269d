// History files as a stored history, which is read, admitted and encoded again for each pass.
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
  // The paths must be regular files, so that they can be read again. The plan and the mapping (null: NDJSON) must
  // outlive this.
  FileHistory(std::vector<std::string> paths, const Plan& plan, const CsvMapping* mapping);

  // kNotFound, kIo, kInvalid: as HistoryReader. Refused events are skipped.
  Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) override;
  // Bytes of the files on disk.
  uint64_t size() const override { return size_; }
  uint64_t read() const override { return read_; }

  // Counts of the latest pass.
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

// Adds a progress bar to each pass over another history.
class ShownHistory : public StoredHistory {
 public:
  // `history` must outlive this. `what`: the labels of the passes, in order; the last one labels all later passes too.
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
