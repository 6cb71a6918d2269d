// How the rows of a foreign file become events: a YAML file beside it says so. Format and examples: examples/mappings.
//
//   format: csv                     csv; words (parted by blanks); pattern (a regular expression with named groups);
//                                   json (one object a line)
//   delimiter: ";"                  csv: one character or `tab`; default a comma. Cells may be quoted as in RFC 4180
//   header: false                   csv and words: the first line names the columns (default true)
//   columns: [user, date]           the columns' names when there is no header
//   ragged: true                    rows may have fewer or more cells than there are columns
//   pattern: '(?P<ip>\S+) …'        pattern: must match the whole line
//   each: events                    json: the member that holds a list; each item is a row. A column is a member of the
//                                   item, else of the line; `a.b` goes deeper
//   missing: ["", "-"]              cells that count as missing (default: the empty one)
//   carry:                          columns that keep their value for the lines that follow
//     user: {column: value, when: {kind: C}}
//   lookup:                         columns filled from earlier lines: the `value` of the line whose `key` had the same
//     title: {key: id, value: name, when: {kind: A}}       text as this line's column `by` (default: the same column)
//   user: "session ID"              or {columns: [ip, agent], prefix: "v-", hashed: true}; cells are joined with `:`,
//                                   a missing one among several as nothing
//   id: [order, line]               the messageId from columns (with the event's number in `events` behind it if there
//                                   are several); without it, from file and line
//   time: event_time                or {column: t, format: "%Y%m%d"}: `auto` (RFC 3339, or a number since the epoch in
//                                   the unit that its size tells), `epoch`, `epoch_ms`, or a pattern of %Y %y %m %d %e
//                                   %H %M %S %f %b %z %Z %%, read as UTC unless %z stands in it. Where a data set has
//                                   no clock times they are reconstructed, and the file says how:
//     {year: y, month: m, day: d}     columns of a date
//     {at: 1998-02-09T00:00:00Z}      an instant
//     plus: [{column: order, times: 30s}, {spread: 20h, by: user}, {per_event: 1m}, {after: 5m}]
//                                   a column's number of times; a share of a span that hangs on a column's text alone;
//                                   so much for each event of the same user right before; a span
//   properties:                     name: column, or {column: c, type: T} with T of string (default), number, integer,
//     price: {column: p, type: number}    boolean, time; or {constant: web}. Missing cells are left out
//   events:                         what a row gives; each may have user, id, time and properties of its own (added to
//     - event: page_viewed          the common ones), and `when: {column: text or list}`, `unless: …`
//     - event: {column: event_type, names: {view: product_viewed}}
//     - {type: identify, properties: …}      track unless said; of an identify the properties are traits
//
// `#line` is the number of the line, and a column like the others.
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

  // Where a column's cell comes from.
  struct ColumnInfo {
    enum class From { kFile, kCarry, kLookup, kLine };
    std::string name;
    From from = From::kFile;
    size_t index = 0;   // into carries or lookups
    Location location;  // where the mapping names it first
  };

  struct Test {  // of one column's text
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
    std::string constant;  // JSON; without a column
  };

  struct Event {
    std::string type = "track";
    std::string name;  // constant; or from a column:
    Column name_column = kNone;
    std::vector<std::pair<std::string, std::string>> names;  // empty: the cell itself
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
