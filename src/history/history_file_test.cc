#include "history/history_file.h"

#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/hash.h"
#include "compressor/compressor.h"
#include "data_files/data_files.h"
#include "ingest/tracking_plan.h"

namespace attune {
namespace {

// The output of a reader: events' JSON, and dead letters as `source reason field detail`.
std::vector<std::string> All(Result<std::unique_ptr<HistoryReader>> reader) {
  std::vector<std::string> out;
  if (!reader.ok()) return {reader.error().message};
  HistoryEvent event;
  while ((*reader)->Next(&event)) {
    if (event.dead) {
      const EventError& error = event.dead->first();
      out.push_back(event.dead->source + ' ' + std::string(CodeOf(error.reason)) + ' ' + error.field + ' ' +
                    error.detail);
    } else {
      out.push_back(std::string(event.source) + ' ' + std::string(event.json));
    }
  }
  if (!(*reader)->status().ok()) out.push_back((*reader)->status().error().message);
  return out;
}

using Lines = std::vector<std::string>;

CsvMapping Mapping(std::string_view yaml) {
  LoadedMapping loaded = ParseCsvMapping(yaml);
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << ToText(problem);
  return loaded.mapping ? std::move(*loaded.mapping) : CsvMapping();
}

TEST(HistoryFile, EachLineIsAnEvent) {
  EXPECT_EQ(All(HistoryReader::OfText("\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"b\":2}", "e.ndjson")),
            (Lines{"e.ndjson:1 {\"a\":1}", "e.ndjson:4 {\"b\":2}"}));
  EXPECT_EQ(All(HistoryReader::OfText("", "e")), Lines{});
  IngestLimits limits;
  limits.line_bytes = 10;
  EXPECT_EQ(
      All(HistoryReader::OfText("{\"a\":12345678}\n{\"b\":3}\n" + std::string(1'000'000, 'x'), "e", nullptr, limits)),
      (Lines{"e:1 line_too_long  more than 10 bytes", "e:2 {\"b\":3}", "e:3 line_too_long  more than 10 bytes"}));
}

class HistoryFileOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("attune-history-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(HistoryFileOnDisk, IsReadWhateverItsCompression) {
  std::string text;
  Lines expected;
  for (int i = 1; i <= 50'000; ++i) {
    const std::string line = "{\"number\":" + std::to_string(i) + ",\"same\":\"same same same\"}";
    text += line + "\n";
    expected.push_back("e:" + std::to_string(i) + " " + line);
  }
  const std::string half = text.substr(0, text.size() / 2);
  const std::string rest = text.substr(text.size() / 2);
  for (const std::string& bytes : {text, Gzip(text), Zstd(text), Gzip(half) + Gzip(rest), Zstd(half) + Zstd(rest)}) {
    const std::string path = Write("e", bytes);
    EXPECT_TRUE(All(HistoryReader::Open(path)) == expected);
    auto reader = HistoryReader::Open(path).value();
    EXPECT_EQ(reader->total(), bytes.size());
    HistoryEvent event;
    while (reader->Next(&event)) {}
    EXPECT_EQ(reader->bytes_read(), bytes.size());
  }
}

TEST_F(HistoryFileOnDisk, DamageIsSaidAndNotTakenForTheEnd) {
  const std::string text(300'000, '\n');
  for (const auto& [bytes, what] : {std::pair{Gzip(text), "gzip"}, std::pair{Zstd(text), "zstd"}}) {
    EXPECT_EQ(All(HistoryReader::Open(Write("cut", bytes.substr(0, bytes.size() - 3)))),
              Lines{"the compressed file ends too early"});
    EXPECT_EQ(All(HistoryReader::Open(Write("more", bytes + "xxxxxxxxxxxx"))),
              Lines{"the " + std::string(what) + " file is damaged"});
  }
  EXPECT_EQ(HistoryReader::Open((folder_ / "missing").string()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(HistoryReader::Open(folder_.string()).error().code, ErrorCode::kInvalid);
}

constexpr std::string_view kShop = R"(
user: {column: who, prefix: u-}
time: when
events:
  - event: {column: what, names: {view: product_viewed, buy: purchase}}
    properties:
      name: name
      price: {column: price, type: number}
      count: {column: count, type: integer}
      gift: {column: gift, type: boolean}
      shop: {constant: web}
)";

TEST(CsvMapping, RowsBecomeEvents) {
  const CsvMapping mapping = Mapping(kShop);
  const std::string file =
      "who,when,what,name,price,count,gift\r\n"
      "7,2026-03-01T10:00:00Z,view,\"a \"\"b\"\", c\",12.50,3,yes\r\n"
      "8,1772359200,buy,,,,\n"
      "9,soon,buy,\xFFx,1e3,2.0,0\n"
      "9,0,view,,007,007,0\n"
      ",1772359200000,buy,\"two\nlines\",,,\n";
  EXPECT_EQ(
      All(HistoryReader::OfText(file, "f.csv", &mapping)),
      (Lines{
          R"(f.csv:2 {"type":"track","event":"product_viewed","userId":"u-7","timestamp":"2026-03-01T10:00:00.000Z","properties":{"name":"a \"b\", c","price":12.5,"count":3,"gift":true,"shop":"web"}})",
          R"(f.csv:3 {"type":"track","event":"purchase","userId":"u-8","timestamp":"2026-03-01T10:00:00.000Z","properties":{"shop":"web"}})",
          "f.csv:4 {\"type\":\"track\",\"event\":\"purchase\",\"userId\":\"u-9\",\"timestamp\":\"soon\",\"properties\":{\"name\":\"\uFFFDx\",\"price\":1000,\"count\":2,\"gift\":false,\"shop\":\"web\"}}",
          R"(f.csv:5 {"type":"track","event":"product_viewed","userId":"u-9","timestamp":"1970-01-01T00:00:00.000Z","properties":{"price":7,"count":7,"gift":false,"shop":"web"}})",
          R"(f.csv:6 {"type":"track","event":"purchase","timestamp":"2026-03-01T10:00:00.000Z","properties":{"name":"two\nlines","shop":"web"}})",
      }));
}

TEST(CsvMapping, RowsThatDoNotFitAreDeadLetters) {
  const CsvMapping mapping = Mapping(kShop);
  const std::string file =
      "who,when,what,name,price,count,gift\n"
      "7,0,view\n"
      "7,0,look,,,,\n"
      "7,0,view,,\"12,50\",,\n"
      "7,0,view,,,2.5,\n"
      "7,0,view,,,,maybe\n"
      "7,0,view,\"a\"b,,,\n"
      "7,0,view,\"open,,,\n";
  EXPECT_EQ(All(HistoryReader::OfText(file, "f", &mapping)),
            (Lines{
                "f:2 invalid_line  expected 7 cells, found 3",
                "f:3 invalid_line event the mapping names no event for what \"look\"",
                "f:4 invalid_line properties.price expected number, found \"12,50\"",
                "f:5 invalid_line properties.count expected integer, found \"2.5\"",
                "f:6 invalid_line properties.gift expected boolean, found \"maybe\"",
                "f:7 invalid_line  something follows a cell's closing quote",
                "f:8 invalid_line  a quote that does not end",
            }));
}

TEST(CsvMapping, TheFileMustHaveTheColumns) {
  const CsvMapping mapping = Mapping(kShop);
  EXPECT_EQ(All(HistoryReader::OfText("who,when,what,name,prise,count,gift\n", "f", &mapping)),
            Lines{"mapping.yaml:8:23: the file has no column \"price\"; did you mean \"prise\"?"});
}

TEST(CsvMapping, OneRowMayGiveSeveralEvents) {
  const CsvMapping mapping = Mapping(R"(
user: {columns: [a, b], hashed: true}
id: {columns: ["#line", a]}
time: {at: 2026-01-01T00:00:00Z, plus: [{column: b, times: 1m}]}
events:
  - {type: identify, properties: {x: a}}
  - {event: bought, when: {b: ["1", "2"]}, unless: {a: no}}
)");
  const std::string yes = ToHex(Hash128("yes:1"));
  const std::string no = ToHex(Hash128("no:2"));
  EXPECT_EQ(All(HistoryReader::OfText("a,b\nyes,1\nno,2\n", "f", &mapping)),
            (Lines{
                R"(f:2[0] {"type":"identify","messageId":"2:yes:0","userId":")" + yes +
                    R"(","timestamp":"2026-01-01T00:01:00.000Z","traits":{"x":"yes"}})",
                R"(f:2[1] {"type":"track","event":"bought","messageId":"2:yes:1","userId":")" + yes +
                    R"(","timestamp":"2026-01-01T00:01:00.000Z","properties":{}})",
                R"(f:3[0] {"type":"identify","messageId":"3:no:0","userId":")" + no +
                    R"(","timestamp":"2026-01-01T00:02:00.000Z","traits":{"x":"no"}})",
            }));
}

TEST(CsvMapping, JsonLinesMayHoldLists) {
  const CsvMapping mapping = Mapping(R"(
format: json
each: events
user: person.id
time: {column: ts, format: epoch_ms}
events: [{event: {column: "type"}, properties: {item: "item.n", odd: "a.b"}}]
)");
  EXPECT_EQ(
      All(HistoryReader::OfText(
          R"({"person":{"id":7},"events":[{"ts":1000,"type":"A\u0062","item":{"n":"x"}},{"ts":2,"type":"c","a.b":null}]})"
          "\n"
          R"({"person":{"id":"q"},"events":[],"x":1})"
          "\n"
          R"({"person":1})"
          "\n"
          "{\"a\":}\n",
          "f", &mapping)),
      (Lines{
          R"(f:1[0] {"type":"track","event":"Ab","userId":"7","timestamp":"1970-01-01T00:00:01.000Z","properties":{"item":"x"}})",
          R"(f:1[1] {"type":"track","event":"c","userId":"7","timestamp":"1970-01-01T00:00:00.002Z","properties":{}})",
          "f:3 invalid_line  expected a list \"events\"",
          "f:4 invalid_line  expected a value at byte 5",
      }));
}

TEST(CsvMapping, ReportsMistakesWithPositions) {
  const std::pair<const char*, const char*> kBad[] = {
      {"a: [", "not YAML"},
      {"[]", "m:1:1: expected a mapping, found a list"},
      {"user: u\ntime: t\n", "m:1:1: expected events"},
      {"usr: u\n", "m:1:1: unknown key \"usr\" in the mapping; did you mean \"user\"?"},
      {"format: xml\n", "m:1:9: expected one of csv, words, pattern, json, found \"xml\""},
      {"delimiter: ab\n", "m:1:12: expected one character or tab, found \"ab\""},
      {"events:\n  - event: e\n", "m:2:5: expected a user, here or for all events"},
      {"user: u\ntime: {column: t, format: '%H'}\n", "m:2:27: expected a pattern with a year, such as %Y-%m-%d"},
      {"user: u\ntime: {column: t, plus: [{after: soon}]}\n",
       "m:2:34: expected a duration such as 30m, found \"soon\""},
      {"user: u\ntime: {column: t, plus: [{spread: 3h}]}\n",
       "m:2:26: expected one of {column, times}, {spread, by}, {per_event}, {after}"},
      {"header: false\ncolumns: [user, time]\nuser: usr\ntime: time\nevents: [{event: e}]\n",
       "m:3:7: there is no column \"usr\"; did you mean \"user\"?"},
      {"format: pattern\npattern: '('\n", "m:2:10: missing ): ("},
      {"user: u\ntime: t\nevents: [{event: e, properties: {a: {type: text, column: c}}}]\n",
       "m:3:44: expected one of string, number, integer, boolean, time, found \"text\""},
  };
  for (const auto& [yaml, message] : kBad) {
    const LoadedMapping loaded = ParseCsvMapping(yaml, "m");
    EXPECT_EQ(loaded.mapping, nullptr) << yaml;
    ASSERT_FALSE(loaded.problems.empty()) << yaml;
    EXPECT_NE(ToText(loaded.problems.front()).find(message), std::string::npos) << ToText(loaded.problems.front());
  }
}

// --- the data sets ---

struct DataSet {
  const char* mapping;
  const char* folder;
  const char* file;
  std::map<std::string, int> events;  // by name (empty: identify); `!reason` for dead letters
  size_t users;
};

void PrintTo(const DataSet& set, std::ostream* out) { *out << set.folder << '/' << set.file; }

// From the data sets' own descriptions, and from counting the files with other tools.
const DataSet kDataSets[] = {
    {"eshop_clothing_2008",
     "eshop_clothing_2008",
     "e-shop clothing 2008.csv.xz",
     {{"product_viewed", 165'474}},
     24'026},
    {"serenade_example", "serenade_example", "train.txt.xz", {{"product_viewed", 113'601}}, 23'753},
    {"rees46",
     "rees46_oct2019_head",
     "2019-Oct.head.csv.xz",
     {{"product_viewed", 17'055}, {"add_to_cart", 165}, {"purchase", 214}},
     4'504},
    {"otto",
     "otto_fixture",
     "train.jsonl.xz",
     {{"product_viewed", 800}, {"add_to_cart", 52}, {"purchase", 10}},
     20},
    {"msweb", "msweb", "anonymous-msweb.data.xz", {{"page_viewed", 98'654}}, 32'711},
    {"msweb", "msweb", "anonymous-msweb.test.xz", {{"page_viewed", 15'191}}, 5'000},
    {"web_logs", "web_logs", "apache_logs.log.xz", {{"page_requested", 10'000}}, 1'862},
    {"cdnow", "cdnow", "CDNOW_master.txt.xz", {{"purchase", 69'659}}, 23'570},
    {"hillstrom_email",
     "hillstrom_email",
     "hillstrom.csv.xz",
     {{"", 64'000}, {"email_sent", 42'694}, {"page_viewed", 9'394}, {"purchase", 578}},
     64'000},
    {"open_bandit",
     "open_bandit_sample",
     "bts/men/men.csv.xz",
     {{"recommendation_shown", 10'000}, {"recommendation_clicked", 69}},
     238},
    {"open_bandit",
     "open_bandit_sample",
     "random/women/women.csv.xz",
     {{"recommendation_shown", 10'000}, {"recommendation_clicked", 46}},
     205},
};

// Reads and admits a whole file; counts dead letters by reason and prints the first few.
void Count(HistoryReader* reader, std::map<std::string, int>* events, std::set<std::string>* users) {
  const Plan plan = std::move(*ParsePlan("events: {}\n").plan);
  TrackingPlan admission(plan);
  HistoryEvent event;
  while (reader->Next(&event)) {
    Origin origin;
    origin.source = event.source;
    origin.history = true;
    origin.file = true;
    const Admission admitted =
        event.dead ? Admission{std::move(event.dead), {}, {}, false} : admission.Admit(event.json, origin);
    if (!admitted.ok()) {
      if (++(*events)["!" + std::string(CodeOf(admitted.dead->first().reason))] < 4) {
        ADD_FAILURE() << ToNdjson(*admitted.dead);
      }
      continue;
    }
    ++(*events)[std::string(admitted.head.name)];
    users->emplace(admitted.head.user);
  }
  EXPECT_TRUE(reader->status().ok());
}

class DataSets : public testing::TestWithParam<DataSet> {};

TEST_P(DataSets, AreRead) {
  const DataSet& set = GetParam();
  const LoadedMapping loaded = LoadCsvMapping("examples/mappings/" + std::string(set.mapping) + ".yaml");
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << ToText(problem);
  ASSERT_NE(loaded.mapping, nullptr);
  const auto folder = DataSetFolder(set.folder);
  if (!folder.ok() && folder.error().code == ErrorCode::kNotFound) GTEST_SKIP() << folder.error().message;
  ASSERT_TRUE(folder.ok()) << folder.error().message;
  auto reader = HistoryReader::Open(*folder + '/' + set.file, loaded.mapping.get());
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  std::map<std::string, int> events;
  std::set<std::string> users;
  Count(reader->get(), &events, &users);
  EXPECT_EQ(events, set.events);
  EXPECT_EQ(users.size(), set.users);
}

// A case is named after its file, within googletest's rules for names.
INSTANTIATE_TEST_SUITE_P(CsvMapping, DataSets, testing::ValuesIn(kDataSets), [](const auto& info) {
  std::string name = info.param.file;
  std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return name;
});

}  // namespace
}  // namespace attune
