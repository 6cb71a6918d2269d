// Reads a history: a file of events from another system or from the past, in file order.
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

// One event of a history, before admission; or a line that gave no event.
struct HistoryEvent {
  std::string_view json;    // an event in the form of the Segment spec, for TrackingPlan::Admit
  std::string_view source;  // `events.ndjson:17`; for several events a line, `train.jsonl:3[12]`
  std::optional<DeadLetter> dead;
};

class HistoryReader {
 public:
  // Without a mapping each line is an event's JSON (blank lines are skipped). The file may be compressed (gzip, zstd,
  // xz); `-` is standard input. The mapping must outlive this. kNotFound, kIo; kInvalid when the file's header lacks a
  // column that the mapping names.
  static Result<std::unique_ptr<HistoryReader>> Open(const std::string& path, const CsvMapping* mapping = nullptr,
                                                     const IngestLimits& limits = {});
  // The same for a text; `name` replaces the file's name.
  static Result<std::unique_ptr<HistoryReader>> OfText(std::string_view text, const std::string& name,
                                                       const CsvMapping* mapping = nullptr,
                                                       const IngestLimits& limits = {});
  ~HistoryReader();

  // The next event, whose views are valid until the next call. False at the end and on a read error: see status().
  bool Next(HistoryEvent* event);
  const Status& status() const;

  // For a progress bar: bytes of the file on disk, compressed or not; total() is 0 when unknown.
  uint64_t bytes_read() const;
  uint64_t total() const;

 private:
  struct Impl;
  explicit HistoryReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
