// How the rows of a foreign file become events, as described by a YAML file. Examples: examples/mappings. Format:
//
//   format: csv                     csv; words (separated by blanks); pattern (a regular expression with named groups);
//                                   json (one object per line)
//   delimiter: ";"                  csv: one character or `tab`; default a comma. Cells may be quoted as in RFC 4180
//   header: false                   csv and words: the first line names the columns (default true)
//   columns: [user, date]           the columns' names when there is no header
//   ragged: true                    rows may have fewer or more cells than there are columns
//   pattern: '(?P<ip>\S+) …'        pattern: must match the whole line
//   each: events                    json: the member that holds a list; each item is a row. A column is a member of the
//                                   item, otherwise of the line; `a.b` selects a nested member
//   missing: ["", "-"]              cells that count as missing (default: the empty one)
//   carry:                          columns that keep their value for the lines that follow
//     user: {column: value, when: {kind: C}}
//   lookup:                         columns filled from earlier lines: the `value` of the line whose `key` had the same
//     title: {key: id, value: name, when: {kind: A}}       text as this line's column `by` (default: the same column)
//   user: "session ID"              or {columns: [ip, agent], prefix: "v-", hashed: true}; cells are joined with `:`, a
//                                   missing one among several as an empty one
//   id: [order, line]               the messageId from columns (followed by the event's number in `events` if there are
//                                   several); without it, from file and line
//   time: event_time                or {column: t, format: "%Y%m%d"}: `auto` (RFC 3339, or a number since the epoch in
//                                   a unit derived from its size), `epoch`, `epoch_ms`, or a pattern of %Y %y %m %d %e
//                                   %H %M %S %f %b %z %Z %%, parsed as UTC unless it contains %z. For a data set
//                                   without clock times, the mapping reconstructs them:
//     {year: y, month: m, day: d}     columns of a date
//     {at: 1998-02-09T00:00:00Z}      an instant
//     plus: [{column: order, times: 30s}, {spread: 20h, by: user}, {per_event: 1m}, {after: 5m}]
//                                   a column's number times a span; a part of a span derived from a column's text
//                                   alone; a span per event of the same user immediately before; a span
//   properties:                     name: column, or {column: c, type: T} with T of string (default), number, integer,
//     price: {column: p, type: number}    boolean, time; or {constant: web}. Missing cells are omitted
//   events:                         the events of a row; each may have its own user, id, time and properties (besides
//     - event: page_viewed          the common ones), and `when: {column: text or list}`, `unless: …`
//     - event: {column: event_type, names: {view: product_viewed}}
//     - {type: identify, properties: …}      default: track; the properties of an identify are traits
//
// `#line` is a column too: the number of the line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "event/pattern.h"
#include "plan/plan.h"

namespace attune {

struct CsvMapping {
  enum class Format { kCsv, kWords, kPattern, kJson };
  using Column = int;  // index into columns
  static constexpr Column kNone = -1;

  // The source of a column's cell.
  struct ColumnInfo {
    enum class From { kFile, kCarry, kLookup, kLine };
    std::string name;
    From from = From::kFile;
    size_t index = 0;   // into carries or lookups
    Location location;  // where the mapping first names it
  };

  struct Test {  // a test of one column's text
    Column column = kNone;
    std::vector<std::string> is;
    bool negated = false;
  };
  struct Carry {
    Column from = kNone;
    std::vector<Test> when;
    Column to = kNone;
  };
  struct Lookup {
    Column key = kNone;
    Column value = kNone;
    Column by = kNone;
    std::vector<Test> when;
    Column to = kNone;
  };

  struct Identity {
    std::vector<Column> columns;  // joined with `:`; empty: none
    std::string prefix;
    bool hashed = false;
  };

  struct Shift {
    enum class Kind { kColumnTimes, kSpread, kPerEvent, kAfter };
    Kind kind = Kind::kAfter;
    Column column = kNone;
    Millis span = 0;
  };
  struct Clock {
    enum class Kind { kNone, kColumn, kDate, kAt };
    Kind kind = Kind::kNone;
    Column column = kNone;
    std::string format;  // `auto`, `epoch`, `epoch_ms` or a pattern
    Column year = kNone, month = kNone, day = kNone;
    Millis at = 0;
    std::vector<Shift> plus;
  };

  struct Property {
    std::string name;
    Column column = kNone;
    PropertyType type = PropertyType::kString;
    std::string constant;  // JSON; used without a column
  };

  struct Event {
    std::string type = "track";
    std::string name;  // constant; otherwise from a column:
    Column name_column = kNone;
    std::vector<std::pair<std::string, std::string>> names;  // empty: the cell is the name
    std::vector<Test> when;
    Identity user;
    Identity id;
    Clock time;
    std::vector<Property> properties;
  };

  std::string file;
  Format format = Format::kCsv;
  char delimiter = ',';
  bool header = true;
  bool ragged = false;
  std::vector<std::string> file_columns;
  std::shared_ptr<const Pattern> pattern;
  std::string each;
  std::vector<std::string> missing{""};
  std::vector<ColumnInfo> columns;  // every column that the mapping names
  std::vector<Carry> carries;
  std::vector<Lookup> lookups;
  std::vector<Event> events;
};

struct LoadedMapping {
  std::unique_ptr<CsvMapping> mapping;  // null when there are problems
  std::vector<Problem> problems;
};
LoadedMapping LoadCsvMapping(const std::string& path);
LoadedMapping ParseCsvMapping(std::string_view yaml, const std::string& file = "mapping.yaml");

}  // namespace attune
