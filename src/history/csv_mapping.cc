#include "history/csv_mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "event/name.h"
#include "event/value.h"
#include "history/time_pattern.h"
#include "language/nearest.h"
#include "language/token.h"
#include "plan/source.h"

namespace attune {
namespace {

using Mapping = CsvMapping;
using Fields = std::vector<std::pair<std::string_view, std::function<void(const YAML::Node&)>>>;

constexpr std::pair<std::string_view, Mapping::Format> kFormats[] = {{"csv", Mapping::Format::kCsv},
                                                                     {"words", Mapping::Format::kWords},
                                                                     {"pattern", Mapping::Format::kPattern},
                                                                     {"json", Mapping::Format::kJson}};
constexpr std::pair<std::string_view, PropertyType> kPropertyTypes[] = {{"string", PropertyType::kString},
                                                                        {"number", PropertyType::kNumber},
                                                                        {"integer", PropertyType::kInteger},
                                                                        {"boolean", PropertyType::kBoolean},
                                                                        {"time", PropertyType::kTime}};
constexpr std::string_view kEventTypes[] = {"track", "identify", "page", "screen", "group", "alias"};

std::string Kind(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return node.IsScalar() ? "\"" + node.Scalar() + "\"" : "nothing";
}

// The parts at the top of a mapping that apply to each of its events.
struct Common {
  Mapping::Identity user, id;
  Mapping::Clock time;
  std::vector<Mapping::Property> properties;
};

class Loader {
 public:
  Loader(std::string_view yaml, const std::string& file) : source_(file, std::string(yaml), 0) {
    mapping_ = std::make_unique<Mapping>();
    mapping_->file = file;
  }

  LoadedMapping Run() {
    try {
      const YAML::Node root = YAML::Load(source_.text());
      ReadRoot(root);
    } catch (const YAML::Exception& e) {
      problems_.push_back({source_.file(), e.mark.line + 1, e.mark.column + 1, "not YAML: " + e.msg});
    }
    if (!problems_.empty()) mapping_ = nullptr;
    return {std::move(mapping_), std::move(problems_)};
  }

 private:
  void Report(const YAML::Node& node, std::string message) {
    const Location at = source_.At(node);
    problems_.push_back({source_.file(), at.line, at.column, std::move(message)});
  }

  // --- YAML ---

  void ReadFields(const YAML::Node& map, std::string_view what, const Fields& fields) {
    if (!map.IsMap()) return Report(map, fmt::format("expected a mapping for {}, found {}", what, Kind(map)));
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        Report(entry.first, "expected a name as key, found " + Kind(entry.first));
        continue;
      }
      const std::string key = entry.first.Scalar();
      if (!seen.insert(key).second) Report(entry.first, "\"" + key + "\" occurs here twice");
      ReadField(entry.first, entry.second, what, fields);
    }
  }

  void ReadField(const YAML::Node& key, const YAML::Node& value, std::string_view what, const Fields& fields) {
    std::vector<std::string> known;
    for (const auto& [name, read] : fields) {
      if (key.Scalar() == name) return read(value);
      known.emplace_back(name);
    }
    std::string near = DidYouMean(key.Scalar(), known);
    if (near.empty()) near = fmt::format("; expected one of {}", fmt::join(known, ", "));
    Report(key, fmt::format("unknown key \"{}\" in {}{}", key.Scalar(), what, near));
  }

  std::string Text(const YAML::Node& node, std::string_view what) {
    if (node.IsScalar()) return node.Scalar();
    Report(node, fmt::format("expected {}, found {}", what, Kind(node)));
    return "";
  }

  std::vector<std::string> Texts(const YAML::Node& node, std::string_view what) {
    if (!node.IsSequence()) return {Text(node, what)};
    std::vector<std::string> texts;
    for (const YAML::Node& item : node) texts.push_back(Text(item, what));
    return texts;
  }

  bool Bool(const YAML::Node& node) {
    bool value = false;
    if (!node.IsScalar() || !YAML::convert<bool>::decode(node, value)) {
      Report(node, "expected true or false, found " + Kind(node));
    }
    return value;
  }

  Millis Span(const YAML::Node& node) {
    Millis span = 0;
    const std::string text = Text(node, "a duration such as 30m");
    if (node.IsScalar() && (!ParseDuration(text, &span) || span <= 0)) {
      Report(node, fmt::format("expected a duration such as 30m, found \"{}\"", text));
    }
    return span;
  }

  template <typename T, size_t n>
  T OneOf(const YAML::Node& node, const std::pair<std::string_view, T> (&known)[n]) {
    const std::string text = Text(node, "a name");
    std::string names;
    for (const auto& [name, value] : known) {
      if (name == text) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    Report(node, fmt::format("expected one of {}, found \"{}\"", names, text));
    return known[0].second;
  }

  // --- columns ---

  Mapping::Column Use(const YAML::Node& node) {
    const std::string name = Text(node, "a column's name");
    for (size_t i = 0; i < mapping_->columns.size(); ++i) {
      if (mapping_->columns[i].name == name) return static_cast<int>(i);
    }
    return Add(name, name == "#line" ? From::kLine : From::kFile, 0, node);
  }
  using From = Mapping::ColumnInfo::From;
  Mapping::Column Add(const std::string& name, From from, size_t index, const YAML::Node& node) {
    mapping_->columns.push_back({name, from, index, source_.At(node)});
    return static_cast<int>(mapping_->columns.size()) - 1;
  }

  void ReadTests(const YAML::Node& node, bool negated, std::vector<Mapping::Test>* tests) {
    if (!node.IsMap()) return Report(node, "expected a mapping of columns to text, found " + Kind(node));
    for (const auto& entry : node) {
      tests->push_back({Use(entry.first), Texts(entry.second, "text or a list of texts"), negated});
    }
  }
  std::function<void(const YAML::Node&)> TestsInto(std::vector<Mapping::Test>* tests, bool negated = false) {
    return [this, tests, negated](const YAML::Node& n) { ReadTests(n, negated, tests); };
  }
  std::function<void(const YAML::Node&)> ColumnInto(Mapping::Column* column) {
    return [this, column](const YAML::Node& n) { *column = Use(n); };
  }

  void ReadCarries(const YAML::Node& node) {
    if (!node.IsMap()) return Report(node, "expected a mapping of names, found " + Kind(node));
    for (const auto& entry : node) {
      Mapping::Carry carry;
      ReadFields(entry.second, "carry", {{"column", ColumnInto(&carry.from)}, {"when", TestsInto(&carry.when)}});
      if (carry.from == Mapping::kNone) Report(entry.second, "expected a column to carry");
      carry.to = Add(Text(entry.first, "a name"), From::kCarry, mapping_->carries.size(), entry.first);
      mapping_->carries.push_back(std::move(carry));
    }
  }

  void ReadLookups(const YAML::Node& node) {
    if (!node.IsMap()) return Report(node, "expected a mapping of names, found " + Kind(node));
    for (const auto& entry : node) {
      Mapping::Lookup lookup;
      ReadFields(entry.second, "lookup",
                 {{"key", ColumnInto(&lookup.key)},
                  {"value", ColumnInto(&lookup.value)},
                  {"by", ColumnInto(&lookup.by)},
                  {"when", TestsInto(&lookup.when)}});
      if (lookup.key == Mapping::kNone || lookup.value == Mapping::kNone) {
        Report(entry.second, "expected a key and a value");
      }
      if (lookup.by == Mapping::kNone) lookup.by = lookup.key;
      lookup.to = Add(Text(entry.first, "a name"), From::kLookup, mapping_->lookups.size(), entry.first);
      mapping_->lookups.push_back(std::move(lookup));
    }
  }

  // --- the parts of an event ---

  Mapping::Identity ReadIdentity(const YAML::Node& node) {
    Mapping::Identity identity;
    const auto add = [&](const YAML::Node& n) {
      if (!n.IsSequence()) return identity.columns.push_back(Use(n));
      for (const YAML::Node& item : n) identity.columns.push_back(Use(item));
    };
    if (!node.IsMap()) {
      add(node);
      return identity;
    }
    ReadFields(node, "user",
               {{"column", add},
                {"columns", add},
                {"prefix", [&](const YAML::Node& n) { identity.prefix = Text(n, "text"); }},
                {"hashed", [&](const YAML::Node& n) { identity.hashed = Bool(n); }}});
    if (identity.columns.empty()) Report(node, "expected a column");
    return identity;
  }

  void ReadFormat(const YAML::Node& node, Mapping::Clock* clock) {
    clock->format = Text(node, "a format of time");
    if (clock->format == "auto" || clock->format == "epoch" || clock->format == "epoch_ms") return;
    if (const std::string wrong = CheckTimePattern(clock->format); !wrong.empty()) Report(node, wrong);
  }

  Mapping::Clock ReadClock(const YAML::Node& node) {
    Mapping::Clock clock;
    clock.format = "auto";
    using Kind = Mapping::Clock::Kind;
    if (!node.IsMap()) {
      clock.column = Use(node);
      clock.kind = Kind::kColumn;
      return clock;
    }
    const auto part = [&](Mapping::Column* column) {
      return [&, column](const YAML::Node& n) {
        clock.kind = Kind::kDate;
        *column = Use(n);
      };
    };
    ReadFields(node, "time",
               {{"column",
                 [&](const YAML::Node& n) {
                   clock.kind = Kind::kColumn;
                   clock.column = Use(n);
                 }},
                {"format", [&](const YAML::Node& n) { ReadFormat(n, &clock); }},
                {"year", part(&clock.year)},
                {"month", part(&clock.month)},
                {"day", part(&clock.day)},
                {"at",
                 [&](const YAML::Node& n) {
                   clock.kind = Kind::kAt;
                   clock.at = Instant(n);
                 }},
                {"plus", [&](const YAML::Node& n) { ReadShifts(n, &clock.plus); }}});
    const bool whole_date =
        clock.year != Mapping::kNone && clock.month != Mapping::kNone && clock.day != Mapping::kNone;
    if (clock.kind == Kind::kNone) Report(node, "expected a column, a date (year, month, day) or an instant (at)");
    if (clock.kind == Kind::kDate && !whole_date) Report(node, "expected year, month and day");
    return clock;
  }

  Millis Instant(const YAML::Node& node) {
    const auto instant = ParseInstant(Text(node, "an instant"));
    if (!instant) Report(node, "expected an instant such as 2026-03-01T10:00:00Z, found " + Kind(node));
    return instant.value_or(0);
  }

  void ReadShifts(const YAML::Node& node, std::vector<Mapping::Shift>* shifts) {
    if (!node.IsSequence()) return Report(node, "expected a list, found " + Kind(node));
    for (const YAML::Node& item : node) ReadShift(item, &shifts->emplace_back());
  }

  void ReadShift(const YAML::Node& node, Mapping::Shift* shift) {
    using Kind = Mapping::Shift::Kind;
    int kinds = 0;
    const auto kind = [&](Kind k) {
      return [&, k](const YAML::Node& n) {
        shift->kind = k;
        shift->span = Span(n);
        ++kinds;
      };
    };
    ReadFields(node, "plus",
               {{"column", ColumnInto(&shift->column)},
                {"by", ColumnInto(&shift->column)},
                {"times", kind(Kind::kColumnTimes)},
                {"spread", kind(Kind::kSpread)},
                {"per_event", kind(Kind::kPerEvent)},
                {"after", kind(Kind::kAfter)}});
    const bool wants_column = shift->kind == Kind::kColumnTimes || shift->kind == Kind::kSpread;
    if (kinds != 1 || wants_column != (shift->column != Mapping::kNone)) {
      Report(node, "expected one of {column, times}, {spread, by}, {per_event}, {after}");
    }
  }

  void ReadProperties(const YAML::Node& node, std::vector<Mapping::Property>* properties) {
    if (!node.IsMap()) return Report(node, "expected a mapping of names to columns, found " + Kind(node));
    for (const auto& entry : node) {
      Mapping::Property property;
      property.name = Text(entry.first, "a property's name");
      const YAML::Node value = entry.second;
      if (!value.IsMap()) {
        property.column = Use(value);
      } else {
        ReadFields(value, "a property",
                   {{"column", ColumnInto(&property.column)},
                    {"type", [&](const YAML::Node& n) { property.type = OneOf(n, kPropertyTypes); }},
                    {"constant", [&](const YAML::Node& n) { AppendJsonString(Text(n, "text"), &property.constant); }}});
        if ((property.column == Mapping::kNone) == property.constant.empty()) {
          Report(value, "expected a column or a constant");
        }
      }
      properties->push_back(std::move(property));
    }
  }

  void ReadName(const YAML::Node& node, Mapping::Event* event) {
    if (!node.IsMap()) {
      event->name = Text(node, "an event's name");
      if (NormaliseEventName(event->name).empty()) Report(node, "expected an event's name, found " + Kind(node));
      return;
    }
    ReadFields(node, "event",
               {{"column", ColumnInto(&event->name_column)},
                {"names", [&](const YAML::Node& n) {
                   if (!n.IsMap()) return Report(n, "expected a mapping, found " + Kind(n));
                   for (const auto& entry : n) {
                     event->names.emplace_back(Text(entry.first, "text"), Text(entry.second, "a name"));
                   }
                 }}});
    if (event->name_column == Mapping::kNone) Report(node, "expected a column");
  }

  void ReadEvent(const YAML::Node& node) {
    Mapping::Event event;
    ReadFields(node, "an event",
               {{"event", [&](const YAML::Node& n) { ReadName(n, &event); }},
                {"type", [&](const YAML::Node& n) { event.type = Text(n, "a type"); }},
                {"when", TestsInto(&event.when)},
                {"unless", TestsInto(&event.when, true)},
                {"user", [&](const YAML::Node& n) { event.user = ReadIdentity(n); }},
                {"id", [&](const YAML::Node& n) { event.id = ReadIdentity(n); }},
                {"time", [&](const YAML::Node& n) { event.time = ReadClock(n); }},
                {"properties", [&](const YAML::Node& n) { ReadProperties(n, &event.properties); }}});
    if (std::find(std::begin(kEventTypes), std::end(kEventTypes), event.type) == std::end(kEventTypes)) {
      Report(node, fmt::format("expected one of {} as type, found \"{}\"", fmt::join(kEventTypes, ", "), event.type));
    }
    if (event.type == "track" && event.name.empty() && event.name_column == Mapping::kNone) {
      Report(node, "expected the event's name");
    }
    places_.push_back(node);
    mapping_->events.push_back(std::move(event));
  }

  // --- the whole mapping ---

  void ReadRoot(const YAML::Node& root) {
    if (!root.IsMap()) return Report(root, "expected a mapping, found " + Kind(root));
    // Names that later parts may use as columns are read first, wherever they are.
    if (root["carry"]) ReadCarries(root["carry"]);
    if (root["lookup"]) ReadLookups(root["lookup"]);
    const auto later = [](const YAML::Node&) {};
    ReadFields(root, "the mapping",
               {{"format", [&](const YAML::Node& n) { mapping_->format = OneOf(n, kFormats); }},
                {"delimiter", [&](const YAML::Node& n) { ReadDelimiter(n); }},
                {"header", [&](const YAML::Node& n) { mapping_->header = Bool(n); }},
                {"columns", [&](const YAML::Node& n) { mapping_->file_columns = Texts(n, "a column's name"); }},
                {"ragged", [&](const YAML::Node& n) { mapping_->ragged = Bool(n); }},
                {"pattern", [&](const YAML::Node& n) { ReadPattern(n); }},
                {"each", [&](const YAML::Node& n) { mapping_->each = Text(n, "a member's name"); }},
                {"missing", [&](const YAML::Node& n) { mapping_->missing = Texts(n, "text or a list of texts"); }},
                {"carry", later},
                {"lookup", later},
                {"user", [&](const YAML::Node& n) { common_.user = ReadIdentity(n); }},
                {"id", [&](const YAML::Node& n) { common_.id = ReadIdentity(n); }},
                {"time", [&](const YAML::Node& n) { common_.time = ReadClock(n); }},
                {"properties", [&](const YAML::Node& n) { ReadProperties(n, &common_.properties); }},
                {"events", [&](const YAML::Node& n) { ReadEvents(n); }}});
    CheckFormat(root);
    if (mapping_->events.empty()) return Report(root, "expected events");
    for (size_t i = 0; i < mapping_->events.size(); ++i) Complete(places_[i], &mapping_->events[i]);
  }

  void ReadEvents(const YAML::Node& node) {
    if (!node.IsSequence()) return Report(node, "expected a list of events, found " + Kind(node));
    for (const YAML::Node& event : node) ReadEvent(event);
  }

  void ReadDelimiter(const YAML::Node& node) {
    const std::string text = Text(node, "one character");
    if (text != "tab" && text.size() != 1) return Report(node, "expected one character or tab, found " + Kind(node));
    mapping_->delimiter = text == "tab" ? '\t' : text[0];
  }

  void ReadPattern(const YAML::Node& node) {
    const auto pattern = Pattern::Compile(Text(node, "a regular expression"));
    if (!pattern.ok()) return Report(node, pattern.error().message);
    mapping_->pattern = *pattern;
    mapping_->file_columns = (*pattern)->GroupNames();
    mapping_->header = false;
  }

  void CheckFormat(const YAML::Node& root) {
    const bool is_pattern = mapping_->format == Mapping::Format::kPattern;
    if (is_pattern != (mapping_->pattern != nullptr)) Report(root, "format: pattern and a pattern go together");
    if (!mapping_->each.empty() && mapping_->format != Mapping::Format::kJson) Report(root, "each is for format: json");
    if (mapping_->format == Mapping::Format::kJson) return;
    if (!mapping_->header && mapping_->file_columns.empty()) Report(root, "expected columns, as there is no header");
    if (!mapping_->header) CheckColumns(mapping_->file_columns);
  }

  // Columns that can be checked without the file.
  void CheckColumns(const std::vector<std::string>& known) {
    for (const Mapping::ColumnInfo& column : mapping_->columns) {
      if (column.from != From::kFile || std::find(known.begin(), known.end(), column.name) != known.end()) continue;
      problems_.push_back({source_.file(), column.location.line, column.location.column,
                           fmt::format("there is no column \"{}\"{}", column.name, DidYouMean(column.name, known))});
    }
  }

  void Complete(const YAML::Node& node, Mapping::Event* event) {
    if (event->user.columns.empty()) event->user = common_.user;
    if (event->id.columns.empty()) event->id = common_.id;
    if (event->time.kind == Mapping::Clock::Kind::kNone) event->time = common_.time;
    event->properties.insert(event->properties.begin(), common_.properties.begin(), common_.properties.end());
    if (event->user.columns.empty()) Report(node, "expected a user, here or for all events");
    if (event->time.kind == Mapping::Clock::Kind::kNone) Report(node, "expected a time, here or for all events");
  }

  PlanSource source_;
  std::unique_ptr<Mapping> mapping_;
  std::vector<Problem> problems_;
  Common common_;
  std::vector<YAML::Node> places_;  // of the events
};

}  // namespace

LoadedMapping ParseCsvMapping(std::string_view yaml, const std::string& file) { return Loader(yaml, file).Run(); }

LoadedMapping LoadCsvMapping(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in.good() || std::filesystem::is_directory(path)) {
    return {nullptr, {{path, 1, 1, "the mapping cannot be read"}}};
  }
  return ParseCsvMapping(text.str(), path);
}

}  // namespace attune
