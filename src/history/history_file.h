// A history: a file of events from elsewhere or from before, read in its own order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"
#include "dead_letter/dead_letter.h"
#include "history/csv_mapping.h"

namespace attune {

// One event of a history, before admission; or a line from which none could be made.
struct HistoryEvent {
  std::string_view json;    // an event as the Segment spec writes it; for TrackingPlan::Admit
  std::string_view source;  // `events.ndjson:17`; with several events a line `train.jsonl:3[12]`
  std::optional<DeadLetter> dead;
};

class HistoryReader {
 public:
  // Without a mapping each line is an event's JSON (blank lines are passed over). The file may be compressed (gzip,
  // zstd, xz); `-` is standard input. The mapping must outlive this. kNotFound, kIo; kInvalid when the mapping names a
  // column that the file's header has not.
  static Result<std::unique_ptr<HistoryReader>> Open(const std::string& path, const CsvMapping* mapping = nullptr,
                                                     const IngestLimits& limits = {});
  // The same over a text; `name` stands for the file.
  static Result<std::unique_ptr<HistoryReader>> OfText(std::string_view text, const std::string& name,
                                                       const CsvMapping* mapping = nullptr,
                                                       const IngestLimits& limits = {});
  ~HistoryReader();

  // The next event, whose views live until the next call. False at the end, and when reading failed: see status().
  bool Next(HistoryEvent* event);
  const Status& status() const;

  // For a progress bar: both count bytes of the file as it lies there, compressed or not; total() is 0 when unknown.
  uint64_t bytes_read() const;
  uint64_t total() const;

 private:
  struct Impl;
  explicit HistoryReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
