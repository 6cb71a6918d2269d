// Converts one row of a foreign file to an event of the Segment spec.
#pragma once

#include <optional>
#include <string>

#include "dead_letter/dead_letter.h"
#include "history/row_reader.h"

namespace attune {

class RowEventWriter {
 public:
  explicit RowEventWriter(const CsvMapping& mapping) : mapping_(mapping) {}

  // Writes the event's JSON. Faults that a mapping cannot detect (no user, an invalid time) are written unchanged, for
  // admission to refuse; an error is a cell that does not fit its mapping.
  std::optional<EventError> Write(const CsvMapping::Event& event, const std::vector<Cell>& row, std::string* json);

 private:
  Cell At(CsvMapping::Column column, const std::vector<Cell>& row) const;
  std::string Identify(const CsvMapping::Identity& identity, const std::vector<Cell>& row) const;
  std::optional<Millis> Time(const CsvMapping::Clock& clock, const std::vector<Cell>& row);
  std::optional<Millis> Shifted(const CsvMapping::Shift& shift, const std::vector<Cell>& row) const;
  void AppendTime(const CsvMapping::Clock& clock, const std::vector<Cell>& row, std::string* json);
  std::optional<EventError> AppendProperties(const CsvMapping::Event& event, const std::vector<Cell>& row,
                                             std::string* json);

  const CsvMapping& mapping_;
  std::string user_;           // of the last event written
  int64_t events_before_ = 0;  // of that user, immediately before
};

}  // namespace attune
