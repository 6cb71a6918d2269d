// The oracle's answers, against values worked out by hand from docs/language.md.
#include "oracle/naive.h"

#include <string>

#include "oracle/aggregate.h"
#include "oracle/question_testing.h"
#include "oracle/bounds.h"

namespace attune::oracle {
namespace {

class NaiveTest : public Asking {};

TEST_F(NaiveTest, WindowsHaveExactEdges) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  Event("a", 1500);
  Event("b", 2000);
  AskAll({
      {999, "count(a)", "0"},  // a later event does not count
      {1000, "count(a)", "1"},
      {1000, "count(a[1ms])", "1"},
      {1001, "count(a[1ms])", "0"},
      {1999, "count(a[1s])", "2"},
      {2000, "count(a[1s])", "1"},  // exactly 1s old: out
      {2499, "count(a[1s])", "1"},
      {2500, "count(a[1s])", "0"},
      {9000, "count(any[ever])", "3"},
      {1499, "count(a[500ms offset 500ms])", "0"},
      {1500, "count(a[500ms offset 500ms])", "1"},
      {1999, "count(a[500ms offset 500ms])", "1"},
      {2000, "count(a[500ms offset 500ms])", "1"},  // one out, the next in
      {2499, "count(a[500ms offset 500ms])", "1"},
      {2500, "count(a[500ms offset 500ms])", "0"},
  });
}

TEST_F(NaiveTest, RangesIncludeTheirBeginningAlone) {
  Load("timezone: Europe/Warsaw\n");
  Event("a", "2025-12-31T22:59:59.999Z");
  Event("a", "2025-12-31T23:00:00.000Z");  // local midnight
  Event("a", "2026-01-31T22:59:59.999Z");
  Event("a", "2026-01-31T23:00:00.000Z");
  const Millis later = At("2026-06-01");
  AskAll({
      {later, "count(a[2026-01-01 .. 2026-02-01])", "2"},
      {At("2026-01-15"), "count(a[2026-01-01 .. 2026-02-01])", "1"},
      {later, "first_time(a) >= 2026-01-01", "false"},
      {later, "count(a[2026-01-01 .. 2027-01-01])", "3"},
  });
}

TEST_F(NaiveTest, AnchoredWindowsLeaveTheAnchorOut) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  Event("b", 1000);
  Event("b", 1500);
  Event("b", 2000);
  Event("b", 2001);
  AskAll({
      {5000, "count(b[1s after first_time(a)])", "2"},  // 1500 and exactly 2000
      {1999, "count(b[1s after first_time(a)])", "1"},
      {5000, "count(b[1s after first_time(c)])", "0"},  // null: none
      {5000, "count(b[since last_time(a)])", "3"},
      {5000, "count(b[since last_time(c)])", "4"},  // null: all events
      {5000, "count(b[since last_time(b)])", "0"},
      {5000, "count(b[since first_time(a) + 500ms])", "2"},
      {999, "count(b[since last_time(a)])", "0"},
  });
}

TEST_F(NaiveTest, SessionsEndAfterAGap) {
  Load("sessions: {gap: 100ms}\n");
  Event("a", 1000);
  Event("b", 1100);  // exactly the gap: still the same
  Event("a", 1201);  // one more: another session
  AskAll({
      {999, "count(any[session])", "0"},
      {1100, "count(any[session])", "2"},
      {1200, "count(any[session])", "2"},  // open while t - last <= gap
      {1201, "count(any[session])", "1"},
      {1301, "count(any[session])", "1"},
      {1302, "count(any[session])", "0"},
      {1302, "count(any[last_session])", "1"},
      {1302, "duration([session])", "null"},
      {1302, "duration([last_session])", "0"},
      {1150, "duration([session])", "100"},
      {1302, "sessions([ever])", "2"},
      {1302, "sessions([200ms])", "1"},
      {1150, "sessions([session])", "1"},
      {1302, "sessions([session])", "0"},
      {1099, "sessions([100ms])", "1"},
      {1100, "sessions([100ms])", "0"},  // began exactly 100ms ago
      {500, "sessions([ever])", "0"},
      {500, "duration([last_session])", "null"},
  });
}

TEST_F(NaiveTest, ALateEventJoinsTwoSessions) {
  Load("sessions: {gap: 100ms}\n");
  Event("a", 1000);
  Event("a", 1200);
  EXPECT_EQ(Ask("sessions([ever])", 1200), "2");
  Event("a", 1100);
  EXPECT_EQ(Ask("sessions([ever])", 1200), "1");
  EXPECT_EQ(Ask("duration([session])", 1200), "200");
  EXPECT_EQ(Ask("count(a[session])", 1200), "3");
}

TEST_F(NaiveTest, SessionsAreCutAtTheirLongest) {
  Load("sessions: {gap: 100ms, max: 150ms}\n");
  Event("a", 1000);
  Event("a", 1080);
  Event("a", 1150);  // exactly max after the first: still belongs
  Event("a", 1151);  // too late, although only 1ms after the last
  Event("a", 1240);
  AskAll({
      {1150, "count(a[session])", "3"},
      {1151, "count(a[session])", "1"},
      {1240, "count(a[session])", "2"},
      {1240, "sessions([ever])", "2"},
      {1340, "count(a[session])", "2"},
      {1341, "count(a[session])", "0"},
  });
}

TEST_F(NaiveTest, FactsAreNotEvents) {
  Load("sessions: {gap: 100ms}\n");
  Event("a", 1000);
  Identify(1090, R"({"plan":"gold"})");
  Event("a", 1180);
  AskAll({
      {1180, "count(any)", "2"},
      {1180, "sessions([ever])", "2"},
      {1089, "trait.plan", "null"},
      {1090, "trait.plan", "\"gold\""},
  });
}

TEST_F(NaiveTest, TraitsAreTheLatestByEventTime) {
  Load("timezone: UTC\n");
  Identify(3000, R"({"plan":"gold","address":{"city":"Łódź"},"age":30})");
  Identify(2000, R"({"plan":"free","vip":true})");  // came later, for an earlier time
  Identify(4000, R"({"age":null})");
  AskAll({
      {5000, "trait.plan", "\"gold\""},
      {2500, "trait.plan", "\"free\""},
      {5000, "trait.vip", "true"},
      {5000, "trait.address.city", "\"Łódź\""},
      {5000, "trait.address", "null"},  // an object has no value of its own
      {5000, "trait.age", "null"},      // null removes it
      {3999, "trait.age", "30"},
      {5000, "not trait.nothing", "true"},
      {5000, "trait.plan = 5", "false"},
      {5000, "trait.plan != 5", "false"},
      {5000, "trait.plan exists and not (trait.none exists)", "true"},
  });
}

TEST_F(NaiveTest, AggregatesOfNothing) {
  Load("timezone: UTC\n");
  Event("b", 1000);
  AskAll({
      {2000, "count(a)", "0"},
      {2000, "sum(b.price)", "0"},
      {2000, "distinct(b.price)", "0"},
      {2000, "avg(b.price)", "null"},
      {2000, "min(b.price)", "null"},
      {2000, "max(b.price)", "null"},
      {2000, "first(b.price)", "null"},
      {2000, "last(b.price)", "null"},
      {2000, "mode(b.price)", "null"},
      {2000, "quantile(0.5, b.price)", "null"},
      {2000, "list(b.price, 3)", "null"},
      {2000, "first_time(a)", "null"},
      {2000, "since(a)", "null"},
      {2000, "age(a)", "null"},
      {2000, "since(a) >= 0ms", "false"},
      {2000, "not (since(a) >= 0ms)", "true"},
      {2000, "count(a) = 0", "true"},
      {2000, "count(b[1s]) = 0", "true"},  // aged out at this very instant
      {1999, "count(b[1s]) = 0", "false"},
  });
}

TEST_F(NaiveTest, AggregatesOverAProperty) {
  Load("timezone: UTC\n");
  Event("b", 1000, R"({"p":10})");
  Event("b", 2000);
  Event("b", 3000, R"({"p":null})");
  Event("b", 4000, R"({"p":30})");
  Event("b", 5000, R"({"p":20})");
  Event("b", 6000, R"({"p":30})");
  Event("b", 7000, R"({"p":10})");
  Event("b", 8000, R"({"p":[1,2]})");
  Event("b", 9000, R"({"q":1})");
  AskAll({
      {9000, "sum(b.p)", "100"},
      {9000, "avg(b.p)", "20"},
      {9000, "min(b.p)", "10"},
      {9000, "max(b.p)", "30"},
      {9000, "distinct(b.p)", "3"},
      {9000, "first(b.p)", "10"},  // without those that lack p
      {9000, "last(b.p)", "10"},
      {9000, "first(b.p[7s])", "30"},
      {9000, "last(b.p[1s])", "null"},
      {9000, "mode(b.p)", "10"},        // 10 and 30 twice each; 10 is the latest
      {6000, "mode(b.p)", "30"},
      {5000, "mode(b.p)", "20"},        // once each: the latest
      {9000, "list(b.p, 10)", "[10,30,20]"},
      {9000, "list(b.p, 2)", "[10,30]"},
      {9000, "count(b.p)", "5"},
      {9000, "quantile(0.5, b.p)", "20"},   // 10 10 20 30 30: the third
      {9000, "quantile(0, b.p)", "10"},
      {9000, "quantile(1, b.p)", "30"},
      {9000, "quantile(0.4, b.p)", "10"},   // rank 2
      {9000, "quantile(0.41, b.p)", "20"},  // rank 2.05: the third
      {9000, "since(b{p = 30})", "3000"},
      {9000, "age(b{p = 30})", "5000"},
  });
}

TEST_F(NaiveTest, SumsRoundOnce) {
  Load("timezone: UTC\n");
  const char* values[] = {"1e16", "1", "-1e16", "0.1", "0.2", "-0.3"};
  for (int i = 0; i < 6; ++i) {
    Event("b", 1000 + i, ("{\"p\":" + std::string(values[i]) + "}").c_str());
  }
  EXPECT_EQ(Ask("sum(b.p[ever])", 1002), "1");
  EXPECT_EQ(Ask("sum(b.p[ever])", 2000), "1");
  // The exact sum of the doubles 0.1, 0.2 and -0.3 is 2^-55. Plain addition gives 2^-54.
  EXPECT_EQ(ExactSum({0.1, 0.2, -0.3}), 0x1p-55);
  EXPECT_EQ(ExactSum({}), 0);
  EXPECT_EQ(ExactSum({19.99, 19.99, 19.99}), 59.97);
  EXPECT_EQ(ExactSum({1, 0x1p-53, 0x1p-106}), 1 + 0x1p-52);  // just over the half: up
  EXPECT_EQ(ExactSum({1, 0x1p-53}), 1);                      // the half itself: to even
}

TEST_F(NaiveTest, ValuesOfSeveralTypes) {
  Load(R"(
events:
  d:
    properties:
      when: time?
      name: string?
      n: number?
)");
  Event("b", 1000, R"({"p":"10"})");
  Event("b", 1001, R"({"p":10})");
  Event("b", 1002, R"({"p":true})");
  Event("b", 1003, R"({"p":10.0})");
  Event("b", 1004, R"({"p":"z"})");
  Event("d", 1005, R"({"when":"2026-03-01T10:00:00Z","name":"Ż","n":2.5})");
  Event("d", 1006, R"({"when":"2026-02-01","name":"z","n":-1})");
  AskAll({
      {2000, "distinct(b.p)", "4"},  // "10", 10, true, "z"
      {2000, "sum(b.p)", "20"},
      {2000, "count(b{p = 10})", "2"},
      {2000, "count(b{p != 10})", "0"},  // another type counts as null
      {2000, "count(b{p = \"10\"})", "1"},
      {2000, "count(b{not (p = 10)})", "3"},
      {2000, "min(b.p)", "10"},  // there is a number: only numbers count
      {1000, "min(b.p)", "\"10\""},
      {2000, "max(b{p != 5 or p starts_with \"z\"}.p)", "10"},
      {2000, "max(b{p starts_with \"\"}.p)", "\"z\""},
      {2000, "min(d.when)", "\"2026-02-01T00:00:00.000Z\""},
      {2000, "max(d.when) - min(d.when)", "2455200000"},
      {2000, "count(d{when > 2026-02-15})", "1"},
      {2000, "max(d.name)", "\"Ż\""},  // by bytes
      {2000, "min(d.n)", "-1"},
  });
}

TEST_F(NaiveTest, Filters) {
  Load("timezone: UTC\n");
  Event("b", 1000, R"({"cat":"Dresses","price":19.99,"tags":["new","sale"],"in":{"x":1}})",
        R"({"page":{"path":"/sale/żółw"}})");
  AskAll({
      {1000, "count(b{cat = \"dresses\"})", "0"},
      {1000, "count(b{cat iequals \"dresses\"})", "1"},
      {1000, "count(b{cat icontains \"RESS\"})", "1"},
      {1000, "count(b{context.page.path starts_with \"/sale\"})", "1"},
      {1000, "count(b{context.page.path iequals \"/SALE/ŻÓŁW\"})", "1"},
      {1000, "count(b{cat ends_with \"ses\"})", "1"},
      {1000, "count(b{cat matches \"^D.*s$\"})", "1"},
      {1000, "count(b{cat matches \"ress\"})", "1"},
      {1000, "count(b{tags contains \"sale\"})", "1"},
      {1000, "count(b{tags contains \"sal\"})", "0"},
      {1000, "count(b{cat in [\"Shoes\", \"Dresses\"]})", "1"},
      {1000, "count(b{price between 19.99 and 20})", "1"},
      {1000, "count(b{price between 10 and 19.98})", "0"},
      {1000, "count(b{in.x = 1})", "1"},
      {1000, "count(b{size exists})", "0"},
      {1000, "count(b{not (size > 5)})", "1"},
      {1000, "count((a or b){price >= 19.99})", "1"},
      {1000, "count(any{price > 19.99})", "0"},
  });
}

TEST_F(NaiveTest, Arithmetic) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  AskAll({
      {4000, "1 / 0", "null"},
      {4000, "coalesce(1 / 0, 7)", "7"},
      {4000, "since(a) / 1s", "3"},
      {4000, "since(a) / 0s", "null"},
      {4000, "since(a) + 1s", "4000"},
      {4000, "last_time(a) + 1s", "\"1970-01-01T00:00:02.000Z\""},
      {4000, "round(2.5)", "3"},
      {4000, "round(-2.5)", "-3"},
      {4000, "log1p(-1)", "null"},
      {4000, "log1p(0)", "0"},
      {4000, "clamp(7, 1, 5)", "5"},
      {4000, "clamp(-7, 1, 5)", "1"},
      {4000, "scale(3, 1, 5)", "0.5"},
      {4000, "scale(9, 1, 5)", "1"},
      {4000, "scale(3, 5, 5)", "null"},
      {4000, "min(3, 1, 2)", "1"},
      {4000, "max(3, 1 / 0)", "null"},
      {4000, "abs(-3)", "3"},
      {4000, "abs(-3s)", "3000"},
      {4000, "round(age(a) / 2s) = 2", "true"},  // 1.5 goes up
      {4000, "2 + 3 * 4 = 14", "true"},
      {4000, "not 1 = 2 and 2 = 2", "true"},
      {4000, "1 = 1 or 1 = 2 and 1 = 2", "true"},
      {4000, "scale(since(a), 1s, 5s)", "0.5"},
  });
}

TEST_F(NaiveTest, Periods) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  Event("a", 1100);
  Event("a", 1399);
  AskAll({
      {1399, "periods(a, 100ms, 4)", "3"},  // the first, third and fourth stretch
      {1400, "periods(a, 100ms, 4)", "2"},  // 1000 is out; 1100 is now in (1000, 1100]
      {1100, "periods(a, 100ms, 4)", "2"},  // 1100 in the first, 1000 in the second
      {1100, "periods(a, 100ms, 1)", "1"},
      {1099, "periods(a, 100ms, 1)", "1"},
      {1799, "periods(a, 100ms, 4)", "0"},
      {1798, "periods(a, 100ms, 4)", "1"},
      {900, "periods(a, 100ms, 4)", "0"},
  });
}

TEST_F(NaiveTest, TwoEventsOfOneMillisecond) {
  Load("timezone: UTC\n");
  Event("a", 1000, R"({"p":1})");
  Event("a", 1000, R"({"p":2})");
  AskAll({
      {1000, "first(a.p)", "1"},
      {1000, "last(a.p)", "2"},
      {1000, "count(a[1ms])", "2"},
      {1000, "list(a.p, 5)", "[2,1]"},
      {1000, "count(a[since last_time(a)])", "0"},
  });
}

TEST_F(NaiveTest, AbsenceThatNothingBreaks) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  const char* absent = "a then no b for 500ms";
  EXPECT_EQ(Ask(absent, 1499), "false");
  EXPECT_EQ(Ask(absent, 1500), "true");
  Event("b", 1600);
  EXPECT_EQ(Ask(absent, 1599), "true");
  EXPECT_EQ(Ask(absent, 1600), "false");
  Event("a", 1600);  // the b of the same millisecond does not come after it
  EXPECT_EQ(Ask(absent, 2099), "false");
  EXPECT_EQ(Ask(absent, 2100), "true");
}

TEST_F(NaiveTest, MetricsAndSegmentsByName) {
  Load(R"yaml(
metrics: {visits: "count(a[1s])"}
segments:
  busy: {when: "visits >= 2"}
  calm: {when: "not in_segment(busy)"}
)yaml");
  Event("a", 1000);
  Event("a", 1500);
  AskAll({
      {1499, "in_segment(busy)", "false"},
      {1500, "in_segment(busy)", "true"},
      {1999, "in_segment(busy)", "true"},
      {2000, "in_segment(busy)", "false"},
      {2000, "in_segment(calm)", "true"},
      {2000, "visits + 1", "2"},
  });
}

TEST_F(NaiveTest, BucketIsTheSameEverywhere) {
  Load("timezone: UTC\n");
  // The first eight bytes of `printf holdout:ann | sha256sum`, 021a754d8b11fabc, without the last
  // eleven bits, over 2^53.
  EXPECT_EQ(Ask("bucket(\"holdout\")", 0), "0.008216220313506883");
}

TEST_F(NaiveTest, DaysOf23And25Hours) {
  Load("timezone: Europe/Warsaw\n");
  Event("a", "2026-03-28T22:59:59.999Z");
  Event("a", "2026-03-28T23:00:00Z");  // Sunday, local midnight; 23 hours to the next
  EXPECT_EQ(Ask("count(a[today])", "2026-03-28T22:59:59.999Z"), "1");
  EXPECT_EQ(Ask("count(a[today])", "2026-03-28T23:00:00Z"), "1");
  EXPECT_EQ(Ask("count(a[today])", "2026-03-29T21:59:59.999Z"), "1");
  EXPECT_EQ(Ask("count(a[today])", "2026-03-29T22:00:00Z"), "0");
  EXPECT_EQ(Ask("hour()", "2026-03-29T00:59:59.999Z"), "1");
  EXPECT_EQ(Ask("hour()", "2026-03-29T01:00:00Z"), "3");
  EXPECT_EQ(Ask("weekday()", "2026-03-29T21:59:59.999Z"), "7");
  EXPECT_EQ(Ask("weekday()", "2026-03-29T22:00:00Z"), "1");
  EXPECT_EQ(Ask("count(a[this_week])", "2026-03-29T21:59:59.999Z"), "2");
  EXPECT_EQ(Ask("count(a[this_week])", "2026-03-29T22:00:00Z"), "0");
  EXPECT_EQ(Ask("count(a[this_month])", "2026-03-31T21:59:59.999Z"), "2");
  EXPECT_EQ(Ask("count(a[this_month])", "2026-03-31T22:00:00Z"), "0");
  EXPECT_EQ(Ask("date()", "2026-03-29T12:00:00Z"), "\"2026-03-28T23:00:00.000Z\"");
  EXPECT_EQ(Ask("date()", "2026-10-25T22:59:59.999Z"), "\"2026-10-24T22:00:00.000Z\"");
  EXPECT_EQ(Ask("date()", "2026-10-25T23:00:00Z"), "\"2026-10-25T23:00:00.000Z\"");
}

TEST_F(NaiveTest, TheSecondTwoOClockIsAnHourOfItsOwn) {
  Load("timezone: Europe/Warsaw\n");
  Event("a", "2026-10-25T00:30:00Z");  // 02:30, summer time
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-10-25T00:59:59.999Z"), "1");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-10-25T01:00:00Z"), "0");  // 02:00 again
  EXPECT_EQ(Ask("hour()", "2026-10-25T01:00:00Z"), "2");
}

TEST_F(NaiveTest, AClockChangeOfHalfAnHour) {
  Load("timezone: Australia/Lord_Howe\n");
  // 2026-04-05, 02:00 (+11) becomes 01:30 (+10:30), at 15:00Z of the day before.
  Event("a", "2026-04-04T14:59:59.999Z");
  Event("a", "2026-04-04T15:00:00Z");
  EXPECT_EQ(Ask("hour()", "2026-04-04T15:00:00Z"), "1");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-04-04T15:00:00Z"), "1");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-04-04T15:29:59.999Z"), "1");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-04-04T15:30:00Z"), "0");
}

TEST_F(NaiveTest, HoursThatBeginAtHalfPast) {
  Load("timezone: Asia/Kolkata\n");
  Event("a", "2026-01-01T10:29:59.999Z");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-01-01T10:29:59.999Z"), "1");
  EXPECT_EQ(Ask("count(a[this_hour])", "2026-01-01T10:30:00Z"), "0");
  EXPECT_EQ(Ask("hour()", "2026-01-01T10:30:00Z"), "16");
}

TEST_F(NaiveTest, AMidnightThatTheClockSkips) {
  Load("timezone: Africa/Cairo\n");
  // 2026-04-24, 00:00 becomes 01:00, at 22:00Z of the day before.
  Event("a", "2026-04-23T21:59:59.999Z");
  EXPECT_EQ(Ask("hour()", "2026-04-23T22:00:00Z"), "1");
  EXPECT_EQ(Ask("count(a[today])", "2026-04-23T22:00:00Z"), "0");
  EXPECT_EQ(Ask("date()", "2026-04-24T12:00:00Z"), "\"2026-04-23T22:00:00.000Z\"");
}

TEST_F(NaiveTest, BoundsHoldWhatMoves) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  const auto over = [&](const char* text, Millis from, Millis to) {
    const ParsedExpression parsed = ParseExpression(text, *plan_);
    return BoundsOver(*parsed.expression, *history_, from, to);
  };
  EXPECT_TRUE(over("since(a) >= 1s", 1001, 1999).IsExact());
  EXPECT_FALSE(over("since(a) >= 1s", 1001, 2000).IsExact());
  EXPECT_TRUE(over("since(a) >= 1s", 2000, 1'000'000).IsExact());
  EXPECT_TRUE(over("count(a[1s]) = 1", 1000, 1999).IsExact());
  EXPECT_FALSE(over("count(a[1s]) = 1", 1000, 2000).IsExact());
  EXPECT_TRUE(over("since(a) - age(a) = 0s", 1000, 9000).IsExact());
}

}  // namespace
}  // namespace attune::oracle
