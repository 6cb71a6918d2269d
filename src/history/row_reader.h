// Splits the lines of a foreign file into rows of cells, for the columns that a mapping names.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/text_map.h"
#include "history/csv_mapping.h"

namespace attune {

// A cell's text; nullopt when the row has no such cell.
using Cell = std::optional<std::string_view>;

class RowReader {
 public:
  // The mapping must outlive this.
  explicit RowReader(const CsvMapping& mapping);

  // The first line of a file with a header. kInvalid, as file:line:column of the mapping, when it lacks a column.
  Status ReadHeader(std::string_view line);

  enum class Outcome {
    kRows,        // see Row
    kIncomplete,  // a quoted cell continues in the next line: call again with both, joined by a line break
    kBad,         // see problem()
  };
  Outcome Read(std::string_view line, uint64_t line_number);

  size_t row_count() const { return row_count_; }
  // The cells of a row, by CsvMapping::Column. Updates carried and looked-up columns, so call it once for each row, in
  // order. The views are valid until the next Read.
  const std::vector<Cell>& Row(size_t index);
  const std::string& problem() const { return problem_; }

  bool Holds(const std::vector<CsvMapping::Test>& tests, const std::vector<Cell>& row) const;

 private:
  Outcome Bad(std::string problem);
  Outcome SplitCsv(std::string_view line);
  bool SplitQuoted(std::string_view line, size_t* at, std::string_view* field);
  void SplitWords(std::string_view line);
  Outcome SplitJson(std::string_view line);
  std::optional<Error> Bind(const std::vector<std::string>& names);
  Cell JsonCell(std::string_view object, std::string_view path);
  std::string_view Unquoted(std::string_view json);
  void FillFromFile(size_t index);
  void FillFromBefore();

  const CsvMapping& mapping_;
  std::vector<int> position_;  // of each column among the fields; -1: not from the file
  std::vector<std::string_view> fields_;
  std::deque<std::string> unquoted_;  // cells that had to be unescaped
  std::string_view line_;
  std::vector<std::string_view> items_;  // json: the rows
  std::string line_number_;
  size_t row_count_ = 0;
  size_t expected_fields_ = 0;
  std::vector<Cell> row_;
  std::vector<std::optional<std::string>> carried_;
  std::vector<TextMap<std::string>> looked_up_;
  std::string problem_;
};

}  // namespace attune
