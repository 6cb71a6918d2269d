#include "history/row_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/hash.h"
#include "base/limits.h"
#include "event/event.h"
#include "event/json_text.h"
#include "history/time_pattern.h"

namespace attune {
namespace {

template <typename T>
bool ReadNumber(std::string_view text, T* number) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *number);
  return result.ec == std::errc() && result.ptr == end;
}

std::optional<Millis> ReadTime(std::string_view text, std::string_view format) {
  double number = 0;
  if (format == "auto") return ReadTimestamp(Value::String(text));
  if (format != "epoch" && format != "epoch_ms") return ParseTimePattern(text, format);
  if (!ReadNumber(text, &number) || !(std::abs(number) < 1e14)) return std::nullopt;
  return static_cast<Millis>(std::floor(format == "epoch" ? number * 1000 : number));
}

bool AppendInteger(std::string_view text, std::string* json) {
  int64_t whole;
  double number;
  if (ReadNumber(text, &whole)) {
    *json += std::to_string(whole);  // the cell may have leading zeros, which JSON does not allow
    return true;
  }
  if (!ReadNumber(text, &number) || number != std::floor(number) || !std::isfinite(number)) return false;
  AppendJsonNumber(number, json);
  return true;
}

bool AppendNumber(std::string_view text, std::string* json) {
  double number;
  if (!ReadNumber(text, &number) || !std::isfinite(number)) return false;
  AppendJsonNumber(number, json);
  return true;
}

bool AppendBool(std::string_view text, std::string* json) {
  constexpr std::pair<std::string_view, bool> kWords[] = {
      {"1", true},  {"true", true},   {"True", true},   {"TRUE", true},   {"yes", true},
      {"0", false}, {"false", false}, {"False", false}, {"FALSE", false}, {"no", false}};
  for (const auto& [word, value] : kWords) {
    if (word != text) continue;
    *json += value ? "true" : "false";
    return true;
  }
  return false;
}

bool AppendTyped(PropertyType type, std::string_view text, std::string* json) {
  switch (type) {
    case PropertyType::kNumber: return AppendNumber(text, json);
    case PropertyType::kInteger: return AppendInteger(text, json);
    case PropertyType::kBoolean: return AppendBool(text, json);
    case PropertyType::kTime: {
      const auto time = ReadTime(text, "auto");
      if (time) AppendJsonString(FormatRfc3339(*time), json);
      return time.has_value();
    }
    case PropertyType::kString:
    case PropertyType::kSchema: break;
  }
  AppendJsonString(text, json);
  return true;
}

constexpr std::string_view kTypeNames[] = {"string", "number", "integer", "boolean", "time"};

void AppendMember(std::string_view name, std::string_view text, std::string* json) {
  *json += json->size() > 1 ? ",\"" : "\"";
  *json += name;
  *json += "\":";
  AppendJsonString(text, json);
}

}  // namespace

Cell RowEventWriter::At(CsvMapping::Column column, const std::vector<Cell>& row) const {
  const Cell& cell = row[static_cast<size_t>(column)];
  const auto& missing = mapping_.missing;
  if (!cell || std::find(missing.begin(), missing.end(), *cell) != missing.end()) return std::nullopt;
  return cell;
}

// Empty when all its cells are missing.
std::string RowEventWriter::Identify(const CsvMapping::Identity& identity, const std::vector<Cell>& row) const {
  std::string text;
  bool any = false;
  for (size_t i = 0; i < identity.columns.size(); ++i) {
    const Cell cell = At(identity.columns[i], row);
    any = any || cell.has_value();
    if (i > 0) text += ':';
    text += cell.value_or("");
  }
  if (!any) return "";
  return identity.prefix + (identity.hashed ? ToHex(Hash128(text)) : text);
}

std::optional<Millis> RowEventWriter::Shifted(const CsvMapping::Shift& shift, const std::vector<Cell>& row) const {
  using Kind = CsvMapping::Shift::Kind;
  const Cell cell = shift.column == CsvMapping::kNone ? Cell() : At(shift.column, row);
  switch (shift.kind) {
    case Kind::kAfter: return shift.span;
    case Kind::kPerEvent: return events_before_ * shift.span;
    case Kind::kSpread: {
      // Whole seconds; a span below one second spreads over nothing.
      const uint64_t seconds = static_cast<uint64_t>(std::max<Millis>(shift.span / kSecond, 1));
      if (!cell) return std::nullopt;
      return static_cast<Millis>(Hash64(*cell) % seconds) * kSecond;
    }
    case Kind::kColumnTimes: break;
  }
  double times = 0;
  if (!cell || !ReadNumber(*cell, &times) || !(std::abs(times) < 1e9)) return std::nullopt;
  return static_cast<Millis>(std::llround(times * static_cast<double>(shift.span)));
}

std::optional<Millis> RowEventWriter::Time(const CsvMapping::Clock& clock, const std::vector<Cell>& row) {
  using Kind = CsvMapping::Clock::Kind;
  std::optional<Millis> time;
  if (clock.kind == Kind::kAt) time = clock.at;
  if (clock.kind == Kind::kColumn) {
    const Cell cell = At(clock.column, row);
    time = cell ? ReadTime(*cell, clock.format) : std::nullopt;
  }
  if (clock.kind == Kind::kDate) {
    int parts[3];
    size_t i = 0;
    for (const CsvMapping::Column column : {clock.year, clock.month, clock.day}) {
      const Cell cell = At(column, row);
      if (!cell || !ReadNumber(*cell, &parts[i++])) return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(parts[0]),
                                           std::chrono::month(static_cast<unsigned>(parts[1])),
                                           std::chrono::day(static_cast<unsigned>(parts[2])));
    if (!date.ok()) return std::nullopt;
    time = std::chrono::sys_days(date).time_since_epoch().count() * kDay;
  }
  for (const CsvMapping::Shift& shift : clock.plus) {
    const auto more = Shifted(shift, row);
    if (!time || !more) return std::nullopt;
    *time += *more;
  }
  return time;
}

void RowEventWriter::AppendTime(const CsvMapping::Clock& clock, const std::vector<Cell>& row, std::string* json) {
  if (const auto time = Time(clock, row)) return AppendMember("timestamp", FormatRfc3339(*time), json);
  const Cell cell = clock.column == CsvMapping::kNone ? Cell() : At(clock.column, row);
  if (cell) AppendMember("timestamp", *cell, json);
}

std::optional<EventError> RowEventWriter::AppendProperties(const CsvMapping::Event& event, const std::vector<Cell>& row,
                                                           std::string* json) {
  const std::string_view root = event.type == "identify" || event.type == "group" ? "traits" : "properties";
  *json += fmt::format(",\"{}\":{{", root);
  bool first = true;
  for (const CsvMapping::Property& property : event.properties) {
    const Cell cell = property.column == CsvMapping::kNone ? Cell() : At(property.column, row);
    if (!cell && property.constant.empty()) continue;
    if (!first) *json += ',';
    first = false;
    AppendJsonString(property.name, json);
    *json += ':';
    if (!property.constant.empty()) {
      *json += property.constant;
    } else if (!AppendTyped(property.type, *cell, json)) {
      return EventError{Reason::kInvalidLine, fmt::format("{}.{}", root, property.name),
                        fmt::format("expected {}, found \"{}\"", kTypeNames[static_cast<size_t>(property.type)],
                                    Preview(*cell, kPreviewBytes))};
    }
  }
  *json += '}';
  return std::nullopt;
}

std::optional<EventError> RowEventWriter::Write(const CsvMapping::Event& event, const std::vector<Cell>& row,
                                                std::string* json) {
  *json = "{";
  AppendMember("type", event.type, json);
  std::string_view name = event.name;
  if (event.name_column != CsvMapping::kNone) {
    const Cell cell = At(event.name_column, row);
    name = cell.value_or("");
    const auto named =
        std::find_if(event.names.begin(), event.names.end(), [&](const auto& n) { return n.first == name; });
    if (!event.names.empty() && named == event.names.end()) {
      const std::string& column = mapping_.columns[static_cast<size_t>(event.name_column)].name;
      return EventError{Reason::kInvalidLine, "event",
                        fmt::format("the mapping names no event for {} \"{}\"", column, Preview(name, kPreviewBytes))};
    }
    if (named != event.names.end()) name = named->second;
  }
  if (!name.empty()) AppendMember("event", name, json);
  if (std::string id = Identify(event.id, row); !id.empty()) {
    // Events of one row must not be taken for duplicates of one event.
    if (mapping_.events.size() > 1) id += fmt::format(":{}", &event - mapping_.events.data());
    AppendMember("messageId", id, json);
  }
  std::string user = Identify(event.user, row);
  events_before_ = user == user_ ? events_before_ + 1 : 0;
  if (!user.empty()) AppendMember("userId", user, json);
  user_ = std::move(user);
  AppendTime(event.time, row, json);
  if (auto error = AppendProperties(event, row, json)) return error;
  *json += '}';
  return std::nullopt;
}

}  // namespace attune
