#include "demo/demo_feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "demo/demo_files.h"
#include "http/server.h"
#include "ingest/protocol/segment.h"
#include "plan/plan.h"
#include "server/page_assets.h"

namespace attune {
namespace {

constexpr std::string_view kProducts =
    "page 2 (clothing model),page 1 (main category),colour,location,model photography,price,price "
    "2,page\n"
    "A18,1,2,5,1,38,2,1\n"
    "B4,2,10,2,2,52,1,3\n";
// Two sessions on the first day, one on the second, one on the third.
constexpr std::string_view kSessions =
    "@ 2008-04-01\n29 A18 B4 A18/2\n12 B4\n"
    "@ 2008-04-02\n9 B4 B4\n"
    "@ 2008-04-03\n29 A18\n";
constexpr std::string_view kOtto = "@ 7\n1659304800025 c 11\n1659304900025 a 11\n1659391200025 o 11\n";

const DemoData& Small() {
  static const DemoData data(kProducts, DemoCodesCsv(), kSessions, kOtto);
  return data;
}

Zone Warsaw() { return Zone::Find(kDemoZone).value(); }

Millis At(std::string_view time) { return ParseRfc3339(time).value(); }

// The whole history as sent, one line per event.
std::vector<std::string> Lines(const DemoData& data, Millis now, int today) {
  DemoHistory history(data, Warsaw(), now, today);
  std::vector<std::string> lines;
  for (DemoBatch batch; history.Next(&batch);) {
    std::string body = batch.Take();
    EXPECT_TRUE(body.starts_with("{\"batch\":[") && body.ends_with("]}")) << body;
    body = body.substr(10, body.size() - 12) + ",\n";
    for (size_t end; (end = body.find(",\n")) != body.npos; body.erase(0, end + 2)) {
      lines.push_back(body.substr(0, end));
    }
  }
  return lines;
}

Millis TimeOf(const std::string& line) {
  const size_t at = line.find("\"timestamp\":\"") + 13;
  return At(std::string_view(line).substr(at, 24));
}

bool Has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST(DemoData, ReadsVisitsProductsAndShoppers) {
  const DemoData& data = Small();
  ASSERT_EQ(data.visits().size(), 4u);
  EXPECT_EQ(data.days(), 3);
  const DemoVisit& first = data.visits()[0];
  EXPECT_EQ(first.number, 1);
  EXPECT_EQ(first.day, 0);
  EXPECT_EQ(first.country, "Poland");
  ASSERT_EQ(first.clicks.size(), 3u);
  EXPECT_EQ(first.clicks[1]->properties,
            R"("product_id":"B4","category":"skirts","colour":"olive","location":"top in the middle",)"
            R"("photography":"profile","price":52,"above_average":true,"page_number":3,"shop":"eshop")");
  // One click of the data names another category than its product's.
  EXPECT_TRUE(Has(first.clicks[0]->properties, R"("product_id":"A18","category":"trousers")"));
  EXPECT_TRUE(Has(first.clicks[2]->properties, R"("product_id":"A18","category":"skirts")"));
  EXPECT_EQ(data.visits()[1].country, "") << "code 12 is `unidentified`";
  EXPECT_EQ(data.visits()[3].day, 2);
  ASSERT_EQ(data.shoppers().size(), 1u);
  EXPECT_EQ(data.shoppers()[0].steps[2].event, "purchase");
  EXPECT_EQ(data.shoppers()[0].steps[2].at, 1659391200025);
}

TEST(DemoData, TheBinaryCarriesAllOfIt) {
  const DemoData& data = DemoData::Embedded();
  size_t clicks = 0, steps = 0;
  for (const auto& visit : data.visits()) clicks += visit.clicks.size();
  for (const auto& shopper : data.shoppers()) steps += shopper.steps.size();
  EXPECT_EQ(clicks, 165474u);
  EXPECT_EQ(data.visits().size(), 24026u);
  EXPECT_EQ(data.days(), 135);
  EXPECT_EQ(steps, 862u);
}

TEST(DemoPlan, LoadsWithoutAWarningAndKeepsTheFeedsZone) {
  const LoadedPlan loaded = ParsePlan(DemoPlanYaml(), "demo.yaml");
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << ToText(problem);
  ASSERT_TRUE(loaded.plan);
  EXPECT_EQ(loaded.plan->timezone, kDemoZone);
  for (const Segment& segment : loaded.plan->segments) EXPECT_NE(segment.description, "") << segment.name;
}

TEST(PageAssets, AreInTheBinary) {
  EXPECT_TRUE(PageHtml().starts_with("<!doctype html>"));
  EXPECT_TRUE(PageHtml().ends_with("</html>\n"));
  EXPECT_TRUE(Has(std::string(PageJs()), "textContent"));
  EXPECT_FALSE(Has(std::string(PageJs()), "innerHTML")) << "text goes in as text alone";
  EXPECT_FALSE(Has(std::string(PageHtml()), "style=")) << "the content security policy forbids it";
  EXPECT_TRUE(Has(std::string(PageCss()), "prefers-color-scheme: dark"));
}

TEST(DemoHistory, MovesDaysSoThatTheChosenOneIsToday) {
  // 23:59:59 in Warsaw. Day 1 of the data is today, so day 0 is yesterday and day 2 is left to the
  // stream.
  const Millis now = At("2026-03-02T22:59:59Z");
  DemoHistory history(Small(), Warsaw(), now, 1);
  const auto lines = Lines(Small(), now, 1);
  EXPECT_EQ(history.events(), lines.size());
  Millis before = 0;
  for (const std::string& line : lines) {
    if (!Has(line, "\"visitor-")) continue;
    const Millis at = TimeOf(line);
    EXPECT_LE(before, at) << "visits keep the order of their numbers, clicks theirs";
    EXPECT_LE(at, now);
    const Millis midnight = At(Has(line, "visitor-3") ? "2026-03-01T23:00Z" : "2026-02-28T23:00Z");
    EXPECT_GE(at, midnight + 8 * kHour) << line;
    before = at;
  }
  ASSERT_EQ(history.rest().size(), 1u);
  EXPECT_EQ(history.rest()[0]->number, 4);
}

TEST(DemoHistory, LeavesVisitsThatAreNotOverToTheStream) {
  // One o'clock in the morning: no visitor of today has come yet.
  DemoHistory history(Small(), Warsaw(), At("2026-03-02T00:00:00Z"), 1);
  ASSERT_EQ(history.rest().size(), 2u);
  EXPECT_EQ(history.rest()[0]->number, 3);
}

TEST(DemoHistory, SpacesClicksAndTellsTheCountryFirst) {
  const auto lines = Lines(Small(), At("2026-03-02T22:59:59Z"), 1);
  const auto first =
      std::find_if(lines.begin(), lines.end(), [](const std::string& line) { return Has(line, "\"visitor-1\""); });
  ASSERT_NE(first, lines.end());
  EXPECT_TRUE(Has(first[0], R"("type":"identify")") && Has(first[0], R"("traits":{"country":"Poland"})"));
  EXPECT_TRUE(Has(first[1], R"("messageId":"visitor-1:1")"));
  EXPECT_EQ(TimeOf(first[0]), TimeOf(first[1]));
  for (int i = 2; i <= 3; ++i) {
    const Millis gap = TimeOf(first[i]) - TimeOf(first[i - 1]);
    EXPECT_TRUE(20 * kSecond <= gap && gap <= 90 * kSecond) << gap;
  }
  EXPECT_EQ(lines, Lines(Small(), At("2026-03-02T22:59:59Z"), 1)) << "every run gives the same";
}

TEST(DemoHistory, MovesTheSecondShopByWholeDays) {
  const auto lines = Lines(Small(), At("2026-03-02T22:59:59Z"), 1);
  // 2022-08-01T22:00:00.025Z was the last event.
  EXPECT_TRUE(Has(lines[0], R"("anonymousId":"otto-7")") && Has(lines[0], "2026-03-01T22:00:00.025Z"));
  EXPECT_TRUE(Has(lines[1], R"("event":"add_to_cart","properties":{"product_id":"11","shop":"otto"})"));
  EXPECT_TRUE(Has(lines[2], R"("event":"purchase")") && Has(lines[2], "2026-03-02T22:00:00.025Z"));
}

TEST(DemoHistory, EveryBatchIsAcceptedAndKeepsAPersonTogether) {
  const LoadedPlan loaded = ParsePlan(DemoPlanYaml());
  SegmentReader reader(*loaded.plan);
  const Millis now = At("2026-03-02T12:00:00Z");
  DemoHistory history(DemoData::Embedded(), Warsaw(), now);
  EXPECT_GT(history.events(), 100'000u);
  EXPECT_GT(history.rest().size(), 4000u);
  size_t events = 0;
  std::set<std::string> seen;
  for (DemoBatch batch; history.Next(&batch);) {
    events += batch.events();
    const std::string body = batch.Take();
    std::set<std::string> here;
    for (size_t at = 0; (at = body.find("\"anonymousId\":\"", at)) != body.npos;) {
      at += 15;
      here.insert(body.substr(at, body.find('"', at) - at));
    }
    for (const std::string& user : here) EXPECT_TRUE(seen.insert(user).second) << user;
    const auto read = reader.Read({"/v1/import", body, now, {}});
    ASSERT_TRUE(read.ok()) << read.refusal->detail;
    for (const ParsedEvent& event : read.events) {
      ASSERT_TRUE(event.ok()) << event.dead->first().detail;
      EXPECT_TRUE(event.known);
    }
  }
  EXPECT_EQ(events, history.events());
}

std::vector<const DemoVisit*> AllVisits(const DemoData& data) {
  std::vector<const DemoVisit*> visits;
  for (const DemoVisit& visit : data.visits()) visits.push_back(&visit);
  return visits;
}

TEST(DemoStream, PlaysVisitsInOrderAtItsPace) {
  DemoStream stream(Small(), AllVisits(Small()), 1000, {.visitors = 1, .shopper_every = 1000});
  std::string all;
  Millis before = 0;
  for (int i = 0; i < 3 + 5; ++i) {  // the shopper's steps, then five clicks of three visits
    const Millis now = stream.next_due();
    const Millis gap = i == 0 ? 1000 : now - before;
    EXPECT_TRUE(1000 <= gap && gap <= 3000) << gap;
    DemoBatch batch;
    stream.TakeDue(now - 1, &batch);
    EXPECT_EQ(batch.events(), 0u) << "nothing is due yet";
    stream.TakeDue(now, &batch);
    all += batch.Take();
    before = now;
  }
  size_t at = 0;
  for (const char* id : {"otto-7-r1:1", "otto-7-r1:3", "visitor-1:country", "visitor-1:1", "visitor-1:3", "visitor-2:1",
                         "visitor-3:country", "visitor-3:1"}) {
    const size_t found = all.find("\"messageId\":\"" + std::string(id) + "\"", at);
    ASSERT_NE(found, all.npos) << id << " after byte " << at << " of " << all;
    at = found;
  }
  EXPECT_FALSE(Has(all, "timestamp")) << "what is live happens when it arrives";
  EXPECT_EQ(stream.visitors(), 4u);
}

TEST(DemoStream, BeginsAgainWithNewVisitors) {
  DemoStream stream(Small(), AllVisits(Small()), 0, {.visitors = 1, .shopper_every = 1});
  DemoStream visits(Small(), AllVisits(Small()), 0, {.visitors = 1, .shopper_every = 1000});
  DemoBatch batch;
  for (int i = 0; i < 12; ++i) {
    stream.TakeDue(stream.next_due(), &batch);
    visits.TakeDue(visits.next_due(), &batch);
  }
  const std::string all = batch.Take();
  EXPECT_TRUE(Has(all, "otto-7-r4:3"));
  EXPECT_TRUE(Has(all, "\"visitor-1-r2:1\""));
}

TEST(DemoStream, DoesNotMakeUpForAPause) {
  DemoStream stream(Small(), AllVisits(Small()), 0, {.visitors = 8, .shopper_every = 1000});
  DemoBatch batch;
  stream.TakeDue(kDay, &batch);
  EXPECT_LE(batch.events(), 16u) << "one event each, and a country";
}

// A collector that answers 429 to every third request.
TEST(FeedDemo, SendsHistoryThenStreamAndStops) {
  std::mutex mutex;
  std::vector<std::string> paths;
  std::atomic<bool> stop = false;
  int requests = 0, refused = 0;
  auto server = Server::Start({}, [&](Request request, Reply reply) {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(request.Header("X-Write-Key"), "w1");
    if (++requests % 3 == 2) {
      ++refused;
      return reply.Send({429, "", {{"Retry-After", "0"}}, ""});
    }
    paths.emplace_back(request.path());
    if (paths.back() == "/v1/batch") stop = true;
    reply.Send({200, "application/json", {}, R"({"success":true})"});
  });
  ASSERT_TRUE(server.ok());
  DemoFeedOptions options;
  options.port = (*server)->port();
  options.write_key = "w1";
  size_t done = 0, total = 0;
  options.on_history = [&](size_t d, size_t t) { done = d, total = t; };
  const Status fed = FeedDemo(options, stop);
  EXPECT_TRUE(fed.ok()) << fed.error().message;
  EXPECT_EQ(done, total);
  EXPECT_GT(refused, 10);
  ASSERT_GT(paths.size(), 100u);
  EXPECT_EQ(std::count(paths.begin(), paths.end(), "/v1/import"), static_cast<long>(paths.size()) - 1);
  EXPECT_EQ(paths.back(), "/v1/batch");
}

TEST(FeedDemo, EndsWithTheServersWordsWhenItIsRefused) {
  auto server = Server::Start({}, [](Request, Reply reply) { reply.Send({401, "", {}, "no such key"}); });
  ASSERT_TRUE(server.ok());
  DemoFeedOptions options;
  options.port = (*server)->port();
  const std::atomic<bool> stop = false;
  const Status fed = FeedDemo(options, stop);
  ASSERT_FALSE(fed.ok());
  EXPECT_TRUE(Has(fed.error().message, "401: no such key")) << fed.error().message;
}

}  // namespace
}  // namespace attune
