#include "history/history_file.h"

#include <fmt/format.h>

#include <charconv>

#include "event/event.h"
#include "event/json_text.h"
#include "history/line_file.h"
#include "history/row_event.h"

namespace attune {
namespace {

// The name of a file in the sources of its events: without its folder, so that a copied file gives the same ids.
std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

struct HistoryReader::Impl {
  Impl(std::unique_ptr<LineFile> lines, std::string name, const CsvMapping* mapping, const IngestLimits& limits)
      : lines(std::move(lines)), name(std::move(name)), mapping(mapping), limits(limits) {
    if (mapping == nullptr) return;
    rows.emplace(*mapping);
    writer.emplace(*mapping);
    one_event_a_line = mapping->each.empty() && mapping->events.size() == 1;
  }

  // Reads the header line if the mapping has one.
  Status Begin() {
    const bool has_header = mapping != nullptr && mapping->header && mapping->format != CsvMapping::Format::kJson;
    std::string_view line;
    if (!has_header || !lines->Next(&line, limits.line_bytes)) return lines->status();
    return rows->ReadHeader(line);
  }

  bool Refuse(Reason reason, std::string field, std::string detail, std::string_view text, HistoryEvent* event) {
    event->source = source;
    event->json = {};
    DeadLetter& letter = event->dead.emplace();
    letter.source = source;
    letter.errors.push_back({reason, std::move(field), std::move(detail)});
    letter.event = text;
    letter.event_is_json = !FindJsonFault(text, kMaxEventDepth).has_value();
    return true;
  }

  // Sets the source to the file and the line.
  void SetSource() {
    char digits[20];
    const char* const end = std::to_chars(std::begin(digits), std::end(digits), line_number).ptr;
    source.assign(name).push_back(':');
    source.append(digits, static_cast<size_t>(end - digits));
  }

  // The next line that is not blank. `*event` is a dead letter when it is too long.
  bool NextLine(std::string_view* line, HistoryEvent* event) {
    do {
      if (!lines->Next(line, limits.line_bytes)) return false;
    } while (line->find_first_not_of(" \t\r") == std::string_view::npos);
    line_number = lines->line_number();
    SetSource();
    if (lines->too_long()) {
      Refuse(Reason::kLineTooLong, "", fmt::format("more than {} bytes", limits.line_bytes), *line, event);
    }
    return true;
  }

  bool NextJson(HistoryEvent* event) {
    std::string_view line;
    if (!NextLine(&line, event)) return false;
    if (event->dead) return true;
    event->json = line;
    event->source = source;
    return true;
  }

  // Reads the next line into rows; false at the end. `*event` is a dead letter when the line is invalid.
  bool NextRows(HistoryEvent* event) {
    row = 0;
    row_count = 0;
    next_event = 0;
    events_of_line = 0;
    std::string_view line;
    if (!NextLine(&line, event)) return false;
    if (event->dead) return true;
    joined = line;
    auto outcome = rows->Read(joined, line_number);
    while (outcome == RowReader::Outcome::kIncomplete && joined.size() < limits.line_bytes &&
           lines->Next(&line, limits.line_bytes)) {
      joined += '\n';
      joined += line;
      outcome = rows->Read(joined, line_number);
    }
    if (outcome == RowReader::Outcome::kRows) {
      row_count = rows->row_count();
      return true;
    }
    const bool open_quote = outcome == RowReader::Outcome::kIncomplete;
    return Refuse(Reason::kInvalidLine, "", open_quote ? "a quote that does not end" : rows->problem(), joined, event);
  }

  bool NextMapped(HistoryEvent* event) {
    for (;;) {
      if (next_event == 0 && row < row_count) cells = &rows->Row(row);
      while (row < row_count && next_event < mapping->events.size()) {
        const CsvMapping::Event& kind = mapping->events[next_event++];
        if (!rows->Holds(kind.when, *cells)) continue;
        return Write(kind, event);
      }
      next_event = 0;
      if (++row < row_count) continue;
      if (!NextRows(event)) return false;
      if (event->dead) return true;
    }
  }

  bool Write(const CsvMapping::Event& kind, HistoryEvent* event) {
    SetSource();
    if (!one_event_a_line) source += fmt::format("[{}]", events_of_line);
    ++events_of_line;
    if (auto error = writer->Write(kind, *cells, &json)) {
      return Refuse(error->reason, std::move(error->field), std::move(error->detail), joined, event);
    }
    event->json = json;
    event->source = source;
    return true;
  }

  std::unique_ptr<LineFile> lines;
  std::string name;
  const CsvMapping* mapping;
  IngestLimits limits;
  std::optional<RowReader> rows;
  std::optional<RowEventWriter> writer;
  bool one_event_a_line = true;

  uint64_t line_number = 0;
  std::string source;
  std::string joined;  // a line, and the following lines into which a quoted cell continues
  size_t row = 0, row_count = 0;
  size_t next_event = 0;
  size_t events_of_line = 0;
  const std::vector<Cell>* cells = nullptr;
  std::string json;
};

HistoryReader::HistoryReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HistoryReader::~HistoryReader() = default;

Result<std::unique_ptr<HistoryReader>> HistoryReader::Open(const std::string& path, const CsvMapping* mapping,
                                                           const IngestLimits& limits) {
  auto lines = LineFile::Open(path);
  if (!lines.ok()) return lines.error();
  auto impl = std::make_unique<Impl>(std::move(lines).value(), NameOf(path), mapping, limits);
  if (const Status status = impl->Begin(); !status.ok()) return status.error();
  return std::unique_ptr<HistoryReader>(new HistoryReader(std::move(impl)));
}

Result<std::unique_ptr<HistoryReader>> HistoryReader::OfText(std::string_view text, const std::string& name,
                                                             const CsvMapping* mapping, const IngestLimits& limits) {
  auto impl = std::make_unique<Impl>(LineFile::OfText(text), name, mapping, limits);
  if (const Status status = impl->Begin(); !status.ok()) return status.error();
  return std::unique_ptr<HistoryReader>(new HistoryReader(std::move(impl)));
}

bool HistoryReader::Next(HistoryEvent* event) {
  event->dead.reset();
  return impl_->mapping == nullptr ? impl_->NextJson(event) : impl_->NextMapped(event);
}

const Status& HistoryReader::status() const { return impl_->lines->status(); }
uint64_t HistoryReader::bytes_read() const { return impl_->lines->bytes_read(); }
uint64_t HistoryReader::total() const { return impl_->lines->total(); }

}  // namespace attune
