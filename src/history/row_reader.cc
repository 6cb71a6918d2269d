#include "history/row_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "event/event.h"
#include "event/json_text.h"
#include "language/nearest.h"

namespace attune {

using Format = CsvMapping::Format;
using From = CsvMapping::ColumnInfo::From;

RowReader::RowReader(const CsvMapping& mapping)
    : mapping_(mapping),
      position_(mapping.columns.size(), -1),
      row_(mapping.columns.size()),
      carried_(mapping.carries.size()),
      looked_up_(mapping.lookups.size()) {
  if (mapping.header || mapping.format == Format::kJson) return;
  // The mapping was checked against these columns when it was loaded.
  (void)Bind(mapping.file_columns);
}

std::optional<Error> RowReader::Bind(const std::vector<std::string>& names) {
  expected_fields_ = names.size();
  for (size_t i = 0; i < mapping_.columns.size(); ++i) {
    const CsvMapping::ColumnInfo& column = mapping_.columns[i];
    if (column.from != From::kFile) continue;
    const auto found = std::find(names.begin(), names.end(), column.name);
    if (found == names.end()) {
      return Error{ErrorCode::kInvalid,
                   fmt::format("{}:{}:{}: the file has no column \"{}\"{}", mapping_.file, column.location.line,
                               column.location.column, column.name, DidYouMean(column.name, names))};
    }
    position_[i] = static_cast<int>(found - names.begin());
  }
  return std::nullopt;
}

Status RowReader::ReadHeader(std::string_view line) {
  fields_.clear();
  unquoted_.clear();
  if (mapping_.format == Format::kWords) {
    SplitWords(line);
  } else if (SplitCsv(line) != Outcome::kRows) {
    return Error{ErrorCode::kInvalid, "the file's header cannot be read"};
  }
  const std::vector<std::string> names(fields_.begin(), fields_.end());
  if (auto error = Bind(names)) return *error;
  return Status();
}

RowReader::Outcome RowReader::Bad(std::string problem) {
  problem_ = std::move(problem);
  return Outcome::kBad;
}

RowReader::Outcome RowReader::Read(std::string_view line, uint64_t line_number) {
  fields_.clear();
  unquoted_.clear();
  items_.clear();
  line_ = line;
  line_number_ = std::to_string(line_number);
  row_count_ = 1;
  Outcome outcome = Outcome::kRows;
  switch (mapping_.format) {
    case Format::kJson: return SplitJson(line);
    case Format::kPattern:
      fields_.resize(mapping_.file_columns.size());
      return mapping_.pattern->MatchesWhole(line, fields_) ? outcome : Bad("the line does not match the pattern");
    case Format::kWords: SplitWords(line); break;
    case Format::kCsv: outcome = SplitCsv(line); break;
  }
  if (outcome != Outcome::kRows || mapping_.ragged || fields_.size() == expected_fields_) return outcome;
  return Bad(fmt::format("expected {} cells, found {}", expected_fields_, fields_.size()));
}

void RowReader::SplitWords(std::string_view line) {
  for (size_t at = line.find_first_not_of(" \t"); at < line.size(); at = line.find_first_not_of(" \t", at)) {
    const size_t end = std::min(line.find_first_of(" \t", at), line.size());
    fields_.push_back(line.substr(at, end - at));
    at = end;
  }
}

RowReader::Outcome RowReader::SplitCsv(std::string_view line) {
  for (size_t at = 0;;) {
    std::string_view field;
    if (at < line.size() && line[at] == '"') {
      if (!SplitQuoted(line, &at, &field)) return Outcome::kIncomplete;
      if (at < line.size() && line[at] != mapping_.delimiter) return Bad("something follows a cell's closing quote");
    } else {
      const size_t end = std::min(line.find(mapping_.delimiter, at), line.size());
      field = line.substr(at, end - at);
      at = end;
    }
    fields_.push_back(field);
    if (at >= line.size()) return Outcome::kRows;
    ++at;  // the delimiter; another cell follows it, possibly an empty one
  }
}

// A quoted cell; two quotes inside it are one. False when its closing quote is missing.
bool RowReader::SplitQuoted(std::string_view line, size_t* at, std::string_view* field) {
  const size_t begin = ++*at;
  bool doubled = false;
  for (;; ++*at) {
    *at = line.find('"', *at);
    if (*at == std::string_view::npos) return false;
    if (*at + 1 >= line.size() || line[*at + 1] != '"') break;
    doubled = true;
    ++*at;
  }
  *field = line.substr(begin, *at - begin);
  ++*at;
  if (!doubled) return true;
  std::string& text = unquoted_.emplace_back();
  for (size_t i = 0; i < field->size(); ++i) {
    text += (*field)[i];
    if ((*field)[i] == '"') ++i;
  }
  *field = text;
  return true;
}

RowReader::Outcome RowReader::SplitJson(std::string_view line) {
  if (const auto fault = FindJsonFault(line, kMaxEventDepth)) {
    return Bad(fmt::format("{} at byte {}", fault->what, fault->offset));
  }
  if (mapping_.each.empty()) {
    items_.push_back(line);
    return Outcome::kRows;
  }
  std::string_view list;
  JsonSlices members(line);
  while (members.Next()) {
    if (members.key() == mapping_.each) list = members.value();
  }
  if (!list.starts_with('[')) return Bad(fmt::format("expected a list \"{}\"", mapping_.each));
  JsonSlices items(list);
  while (items.Next()) items_.push_back(items.value());
  row_count_ = items_.size();
  return Outcome::kRows;
}

// The text of a JSON value: a string's content, or the JSON of any other value.
std::string_view RowReader::Unquoted(std::string_view json) {
  if (!json.starts_with('"')) return json;
  if (json.find('\\') == std::string_view::npos) return json.substr(1, json.size() - 2);
  EventReader reader;
  if (!reader.Open(fmt::format("{{\"name\":{}}}", json)).ok()) return json;
  return unquoted_.emplace_back(reader.Text(Member::kName));
}

Cell RowReader::JsonCell(std::string_view object, std::string_view path) {
  for (;;) {
    if (!object.starts_with('{')) return std::nullopt;
    // A member's name may itself contain dots.
    std::string_view whole, first;
    const std::string_view key = path.substr(0, path.find('.'));
    JsonSlices members(object);
    while (members.Next()) {
      if (members.key() == path) whole = members.value();
      if (members.key() == key) first = members.value();
    }
    const std::string_view found = whole.empty() && key.size() == path.size() ? first : whole;
    if (found == "null") return std::nullopt;
    if (!found.empty()) return Unquoted(found);
    if (first.empty() || key.size() == path.size()) return std::nullopt;
    object = first;
    path.remove_prefix(key.size() + 1);
  }
}

void RowReader::FillFromFile(size_t index) {
  for (size_t i = 0; i < row_.size(); ++i) {
    const CsvMapping::ColumnInfo& column = mapping_.columns[i];
    row_[i] = std::nullopt;
    if (column.from == From::kLine) {
      row_[i] = line_number_;
    } else if (column.from == From::kFile && mapping_.format == Format::kJson) {
      row_[i] = JsonCell(items_[index], column.name);
      if (!row_[i] && !mapping_.each.empty()) row_[i] = JsonCell(line_, column.name);
    } else if (position_[i] >= 0 && static_cast<size_t>(position_[i]) < fields_.size()) {
      const std::string_view field = fields_[static_cast<size_t>(position_[i])];
      if (field.data() != nullptr) row_[i] = field;
    }
  }
}

void RowReader::FillFromBefore() {
  for (size_t i = 0; i < carried_.size(); ++i) {
    const CsvMapping::Carry& carry = mapping_.carries[i];
    const Cell from = row_[static_cast<size_t>(carry.from)];
    if (from && Holds(carry.when, row_)) carried_[i] = std::string(*from);
    if (carried_[i]) row_[static_cast<size_t>(carry.to)] = *carried_[i];
  }
  for (size_t i = 0; i < looked_up_.size(); ++i) {
    const CsvMapping::Lookup& lookup = mapping_.lookups[i];
    const Cell key = row_[static_cast<size_t>(lookup.key)];
    const Cell value = row_[static_cast<size_t>(lookup.value)];
    if (key && value && Holds(lookup.when, row_)) {
      looked_up_[i].insert_or_assign(std::string(*key), std::string(*value));
    }
    const Cell by = row_[static_cast<size_t>(lookup.by)];
    const auto found = by ? looked_up_[i].find(*by) : looked_up_[i].end();
    if (found != looked_up_[i].end()) row_[static_cast<size_t>(lookup.to)] = found->second;
  }
}

const std::vector<Cell>& RowReader::Row(size_t index) {
  FillFromFile(index);
  FillFromBefore();
  return row_;
}

bool RowReader::Holds(const std::vector<CsvMapping::Test>& tests, const std::vector<Cell>& row) const {
  return std::all_of(tests.begin(), tests.end(), [&](const CsvMapping::Test& test) {
    const Cell& cell = row[static_cast<size_t>(test.column)];
    const bool is = cell && std::find(test.is.begin(), test.is.end(), *cell) != test.is.end();
    return is != test.negated;
  });
}

}  // namespace attune
