#include "ingest/protocol/segment.h"

#include <gtest/gtest.h>

#include <sstream>

#include "compressor/compressor.h"
#include "data_files/data_files.h"
#include "event/event.h"
#include "ingest/protocols.h"

namespace attune {
namespace {

constexpr Millis kReceived = 1772359200000;  // 2026-03-01T10:00:00Z

Plan NoPlan() { return std::move(*ParsePlan("events: {}\n").plan); }

ParsedRequest Read(SegmentReader* reader, std::string_view path, std::string_view body,
                    std::optional<Millis> sent_at = std::nullopt) {
  return reader->Read({path, body, kReceived, sent_at});
}

std::string Event(std::string_view id) {
  return R"({"type":"track","event":"e","userId":"u","messageId":")" + std::string(id) + "\"}";
}

// `accepted ids / refused reasons`, in order.
std::string Verdicts(const ParsedRequest& request) {
  if (!request.ok()) return "refused: " + std::string(CodeOf(request.refusal->reason));
  std::string out;
  for (const ParsedEvent& event : request.events) {
    if (!out.empty()) out += ' ';
    out += event.ok() ? event.message_id : '!' + std::string(CodeOf(event.dead->first().reason));
  }
  return out;
}

TEST(SegmentProtocol, TakesASingleEventByItsPath) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  for (const SegmentPath& path : kSegmentPaths) {
    if (path.type.empty()) continue;
    const ParsedRequest request =
        Read(&reader, path.path,
             R"({"event":"E","userId":"u","previousId":"p","groupId":"g","messageId":"m","writeKey":"WK"})");
    ASSERT_EQ(Verdicts(request), "m") << path.path;
    EXPECT_EQ(request.write_key, "WK");
  }
  EXPECT_EQ(FindSegmentPath("/v1/m"), nullptr);
}

TEST(SegmentProtocol, KeepsTheBytesOfEachEvent) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  const std::string first = R"({ "type":"track", "event" : "A",)"
                            "\n"
                            R"("userId":"u","properties":{"x":1.50,"s":"}]"}})";
  const std::string body =
      " {\"batch\" : [ " + first + " ,\n" + Event("2") + "] , \"writeKey\":\"W\\u004b\", \"sentAt\":null}\n";
  const ParsedRequest request = Read(&reader, "/v1/batch", body);
  ASSERT_TRUE(request.ok());
  ASSERT_EQ(request.events.size(), 2u);
  EXPECT_EQ(request.write_key, "WK");
  const auto stored = DecodeEvent(request.events[0].record.bytes());
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->json, first);
  EXPECT_EQ(stored->head.name, "a");
  EXPECT_EQ(stored->head.received, kReceived);
  EXPECT_EQ(stored->head.id, request.events[0].message_id);
  EXPECT_EQ(DecodeEvent(request.events[1].record.bytes())->json, Event("2"));
}

TEST(SegmentProtocol, OneBadEventDoesNotHarmItsNeighbours) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  std::string deep = "1";
  for (int i = 0; i < 40; ++i) deep = "[" + deep + "]";
  const std::pair<std::string, const char*> kBad[] = {
      {"3", "not_an_object"},
      {"null", "not_an_object"},
      {"[]", "not_an_object"},
      {"\"track\"", "not_an_object"},
      {"{}", "unknown_type"},
      {R"({"type":"track","event":7,"userId":"u"})", "invalid_field"},
      {R"({"type":"track","event":"e"})", "identity_missing"},
      {R"({"type":"track","event":"e","userId":"u","properties":3})", "invalid_field"},
      {"{\"a\":\"\xFF\"}", "invalid_encoding"},
      {"{\"a\":\"\\ud800\"}", "invalid_encoding"},
      {"{\"a\":1e400}", "number_out_of_range"},
      {"{\"a\":" + deep + "}", "too_deep"},
      {"{\"a\":\"" + std::string(40'000, 'x') + "\"}", "event_too_large"},
  };
  for (const auto& [bad, reason] : kBad) {
    const std::string body = "{\"batch\":[" + Event("1") + "," + bad + "," + Event("3") + "]}";
    const ParsedRequest request = Read(&reader, "/v1/batch", body);
    EXPECT_EQ(Verdicts(request), "1 !" + std::string(reason) + " 3") << bad.substr(0, 80);
    if (!request.ok()) continue;
    EXPECT_EQ(request.events[1].dead->source, "/v1/batch[1]");
    EXPECT_EQ(request.events[1].dead->event, bad);
  }
}

TEST(SegmentProtocol, RefusesABodyThatIsNotJsonWithItsPlace) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  const struct {
    const char* path;
    std::string body;
    Reason reason;
    size_t line;
    size_t column;
  } kBodies[] = {
      {"/v1/batch", "", Reason::kBodyEmpty, 0, 0},
      {"/v1/batch", " \n", Reason::kBodyEmpty, 0, 0},
      {"/v1/batch", "{\"batch\":[{\"type\":\"track\"", Reason::kInvalidJson, 1, 26},
      {"/v1/batch", "{\"batch\":[\n{\"a\":tru}\n]}", Reason::kInvalidJson, 2, 6},
      {"/v1/batch", "{\"batch\":[\n{\"a\":1]}", Reason::kInvalidJson, 2, 7},
      {"/v1/batch", "{\"batch\":[{\"a\":1}],\"context\":{x}}", Reason::kInvalidJson, 1, 31},
      {"/v1/batch", "{\"batch\":[]} x", Reason::kInvalidJson, 1, 14},
      {"/v1/batch", "{\"batch\":[] \"a\":1}", Reason::kInvalidJson, 1, 13},
      {"/v1/batch", "{\"events\":[]}", Reason::kNoBatch, 0, 0},
      {"/v1/batch", "{\"batch\":{}}", Reason::kNoBatch, 0, 0},
      {"/v1/track", "{\"łłł\" 1}", Reason::kInvalidJson, 1, 8},
      {"/v1/track", "[1]", Reason::kNotAnObject, 1, 1},
      {"/v1/track", std::string(100'000, '['), Reason::kInvalidJson, 1, 100'001},
      {"/v1/track", "{\"a\":\"" + std::string(40'000, 'x'), Reason::kInvalidJson, 1, 40'007},
      {"/v1/track", "data=eyJ9", Reason::kInvalidJson, 1, 1},
  };
  for (const auto& [path, body, reason, line, column] : kBodies) {
    const ParsedRequest request = Read(&reader, path, body);
    ASSERT_FALSE(request.ok()) << body.substr(0, 60);
    EXPECT_TRUE(request.events.empty());
    EXPECT_EQ(CodeOf(request.refusal->reason), CodeOf(reason)) << body.substr(0, 60);
    EXPECT_EQ(request.refusal->line, line) << body.substr(0, 60);
    EXPECT_EQ(request.refusal->column, column) << body.substr(0, 60);
  }
}

TEST(SegmentProtocol, ASingleEventThatCannotBeTakenIsADeadLetter) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/track", "{\"a\":\"\xFF\"}")), "!invalid_encoding");
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/track", "{\"event\":\"e\"}")), "!identity_missing");
}

TEST(SegmentProtocol, CountsTheEventsOfABatch) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  for (const size_t count : {size_t{0}, size_t{999}, size_t{1000}, size_t{1001}, size_t{1500}}) {
    std::string body = "{\"batch\":[";
    for (size_t i = 0; i < count; ++i) body += (i > 0 ? "," : "") + Event(std::to_string(i));
    const ParsedRequest request = Read(&reader, "/v1/b", body + "]}");
    EXPECT_EQ(request.ok(), count <= 1000) << count;
    if (request.ok()) {
      EXPECT_EQ(request.events.size(), count);
    } else {
      EXPECT_EQ(request.refusal->reason, Reason::kBatchTooLong);
      EXPECT_EQ(request.refusal->actual, count);
      EXPECT_EQ(request.refusal->limit, 1000u);
    }
  }
}

TEST(SegmentProtocol, DecompressesByTheBytes) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  const std::string body = "{\"batch\":[" + Event("1") + "]}";
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", Gzip(body))), "1");
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", Zlib(body))), "1");
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", "\xEF\xBB\xBF" + body)), "1");
  const std::string gzip = Gzip(body);
  for (size_t size = 2; size < gzip.size(); ++size) {
    const auto request = Read(&reader, "/v1/batch", std::string_view(gzip).substr(0, size));
    EXPECT_EQ(Verdicts(request), "refused: bad_compression") << size;
  }
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", gzip + "x")), "refused: bad_compression");
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", gzip + gzip)), "refused: bad_compression");
  std::string damaged = gzip;
  damaged[gzip.size() / 2] ^= 0x20;
  EXPECT_FALSE(Read(&reader, "/v1/batch", damaged).ok());
}

TEST(SegmentProtocol, ABombCostsNoMoreThanTheLimit) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", Gzip(std::string(16 << 20, ' ')))), "refused: bad_compression");
  std::string mixed;
  for (uint64_t i = 0; mixed.size() < (5 << 20); ++i) mixed += std::to_string(i * 7919 % 10007);
  const ParsedRequest request = Read(&reader, "/v1/batch", Gzip(mixed));
  EXPECT_EQ(Verdicts(request), "refused: body_too_large");
  EXPECT_EQ(request.refusal->limit, size_t{4 << 20});
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", std::string((4 << 20) + 1, ' '))), "refused: body_too_large");
}

TEST(SegmentProtocol, TheEnvelopesClockCountsForEventsWithoutOne) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  const std::string body = R"({"sentAt":"2026-06-01T00:00:10Z","batch":[
      {"type":"track","event":"e","userId":"u","timestamp":"2026-06-01T00:00:00Z"},
      {"type":"track","event":"e","userId":"u","timestamp":"2026-06-01T00:00:00Z","sentAt":"2026-06-01T00:00:01Z"}]})";
  const ParsedRequest request = Read(&reader, "/v1/batch", body, 0);
  ASSERT_EQ(request.events.size(), 2u);
  EXPECT_EQ(DecodeEvent(request.events[0].record.bytes())->head.time, kReceived - 10 * kSecond);
  EXPECT_EQ(DecodeEvent(request.events[1].record.bytes())->head.time, kReceived - kSecond);
  const ParsedRequest header =
      Read(&reader, "/v1/t", R"({"event":"e","userId":"u","timestamp":"2026-06-01T00:00:00Z"})",
           1780272000000 + 3 * kSecond);
  EXPECT_EQ(DecodeEvent(header.events[0].record.bytes())->head.time, kReceived - 3 * kSecond);
}

TEST(SegmentProtocol, AnImportsTimesAreTakenAsTheyAreWithinBounds) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  const std::string body = R"({"sentAt":"2026-06-01T00:00:10Z","batch":[
      {"type":"track","event":"e","userId":"u","timestamp":"2026-02-01T00:00:00Z"},
      {"type":"track","event":"e","userId":"u","timestamp":"9999-01-01T00:00:00Z"},
      {"type":"track","event":"e","userId":"u","timestamp":"2012-01-01T00:00:00Z"}]})";
  ParsedRequest history = Read(&reader, "/v1/import", body);
  EXPECT_EQ(DecodeEvent(history.events[0].record.bytes())->head.time, 1769904000000);
  EXPECT_EQ(history.events[1].dead->first().reason, Reason::kTimestampOutOfRange);
  EXPECT_EQ(history.events[2].dead->first().reason, Reason::kTimestampTooOld);
  ProtocolRequest older{"/v1/import", body, kReceived, {}};
  older.oldest_event = 6'000 * kDay;
  history = reader.Read(older);
  EXPECT_TRUE(history.events[0].ok());
  EXPECT_FALSE(history.events[1].ok());
  EXPECT_TRUE(history.events[2].ok());
}

TEST(SegmentProtocol, AWrongParameterRefusesAnImportAndItsKeyIsRead) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  ProtocolRequest request{"/v1/import", R"({"writeKey":"WK","batch":[]})", kReceived};
  request.query = "oldest_event=soon";
  const ParsedRequest wrong = reader.Read(request);
  EXPECT_EQ(Verdicts(wrong), "refused: invalid_parameter");
  EXPECT_EQ(wrong.write_key, "WK");
  request.body = "{";
  EXPECT_EQ(Verdicts(reader.Read(request)), "refused: invalid_parameter");
  request.path = "/v1/batch";
  EXPECT_EQ(Verdicts(reader.Read(request)), "refused: invalid_json") << "only imports have the parameter";
}

TEST(SegmentProtocol, AnswersWithWhatWasAcceptedAndRejected) {
  const Plan plan = NoPlan();
  const SegmentProtocol protocol;
  const auto reader = protocol.NewReader(plan);
  const auto answer = [&](std::string_view path, std::string_view body) {
    const ParsedRequest request = reader->Read({path, body, kReceived});
    EXPECT_TRUE(request.ok());
    return protocol.Answer(path, request.events).body;
  };
  EXPECT_EQ(answer("/v1/track", Event("m1")), R"({"success":true,"accepted":1,"rejected":[],"messageId":"m1"})");
  const std::string batch = "{\"batch\":[" + Event("m2") + ",3]}";
  const std::string rejection =
      R"({"index":1,"messageId":null,"reason":"not_an_object","field":null,"detail":"expected an object at byte 0")";
  EXPECT_EQ(answer("/v1/batch", batch), R"({"success":true,"accepted":1,"rejected":[)" + rejection + "}]}");
  const std::string dry_run = answer("/v1/events/validate", batch);
  EXPECT_TRUE(dry_run.starts_with(R"({"success":true,"accepted":1,"rejected":[)" + rejection + R"(,"errors":[{)")) << dry_run;
  EXPECT_TRUE(dry_run.ends_with(R"("unknown":[0]})")) << dry_run;
}

TEST(SegmentProtocol, ReadsAnEventOfADeadLetterAsItsRequestWouldHave) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  KeptEvent kept{.path = "/v1/page", .source = "/v1/page", .json = R"({"userId":"u"})", .received = kReceived, .id = "made"};
  ParsedEvent event = reader.ReadEvent(kept);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event.message_id, "made");
  EXPECT_EQ(DecodeEvent(event.record.bytes())->head.name, "page_viewed");
  kept.path = "/v1/batch";
  kept.source = "/v1/batch[3]";
  event = reader.ReadEvent(kept);
  ASSERT_FALSE(event.ok());
  EXPECT_EQ(event.dead->first().reason, Reason::kUnknownType) << "an event of a batch says its own type";
  EXPECT_EQ(event.dead->source, "/v1/batch[3]");
}

TEST(SegmentProtocol, ABatchsContextIsMergedIntoItsEvents) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  constexpr struct {
    const char* event;
    const char* stored;
  } kEvents[] = {
      {R"({"type":"page","userId":"u"})", R"({"context":{"ip":"1","page":{"a":1}},"type":"page","userId":"u"})"},
      {R"({"type":"page","userId":"u","context":{"page":{"b":2}} })",
       R"({"type":"page","userId":"u","context":{"page":{"b":2},"ip":"1"} })"},
      {R"({"type":"page","context":{},"userId":"u"})",
       R"({"type":"page","context":{"ip":"1","page":{"a":1}},"userId":"u"})"},
      {R"({"type":"page","context":null,"userId":"u"})",
       R"({"type":"page","context":{"ip":"1","page":{"a":1}},"userId":"u"})"},
  };
  for (const auto& [event, stored] : kEvents) {
    const std::string body = R"({"context":{"ip":"1","page":{"a":1}},"batch":[)" + std::string(event) + "]}";
    const ParsedRequest request = Read(&reader, "/v1/batch", body);
    ASSERT_EQ(request.events.size(), 1u);
    ASSERT_TRUE(request.events[0].ok()) << ToNdjson(*request.events[0].dead);
    EXPECT_EQ(DecodeEvent(request.events[0].record.bytes())->json, stored);
  }
  EXPECT_EQ(Verdicts(Read(&reader, "/v1/batch", R"({"context":{"ip":"1"},"batch":[3,{}]})")),
            "!not_an_object !unknown_type");
}

// The bodies of requests that real client libraries sent to Segment's paths.
std::vector<std::pair<std::string, std::string>> CapturedRequests(const std::string& file) {
  const auto capture = DataFile("wire/" + file);
  EXPECT_TRUE(capture.ok()) << capture.error().message;
  std::istringstream in(capture.ok() ? *capture : "");
  std::vector<std::pair<std::string, std::string>> requests;
  std::string line, path;
  while (std::getline(in, line)) {
    if (const size_t post = line.find("POST "); post != std::string::npos && post < 10) {
      path = line.substr(post + 5, line.find(' ', post + 5) - post - 5);
    }
    const size_t begin = line.find_first_not_of(' ');
    const bool is_body =
        begin != std::string::npos && line[begin] == '{' && line.find("user-agent\":") == std::string::npos;
    if (is_body && FindSegmentPath(path) != nullptr) requests.emplace_back(path, line.substr(begin));
  }
  return requests;
}

TEST(SegmentProtocol, TakesWhatClientLibrariesSend) {
  const Plan plan = NoPlan();
  SegmentReader reader(plan);
  int requests = 0, events = 0, keys = 0;
  for (const char* file : {"wire-captures-node-sdks.txt", "wire-captures-browser-sdks.txt"}) {
    for (const auto& [path, body] : CapturedRequests(file)) {
      const ParsedRequest request = reader.Read({path, Gzip(body), 1795309700000, {}});
      ASSERT_TRUE(request.ok()) << body;
      for (const ParsedEvent& event : request.events) EXPECT_TRUE(event.ok()) << body;
      ++requests;
      events += static_cast<int>(request.events.size());
      keys += request.write_key == "WK";
    }
  }
  EXPECT_EQ(requests, 7);
  EXPECT_EQ(events, 8);
  EXPECT_EQ(keys, 4);
}

// Drops the events of the user `hidden`.
class HidingStage : public EventStage {
 public:
  bool Pass(ParsedEvent* event) const override { return event->record.user() != "hidden"; }
};

TEST(SegmentProtocol, EventsOfEveryPathPassTheStages) {
  std::vector<std::unique_ptr<const Protocol>> served;
  served.push_back(std::make_unique<SegmentProtocol>());
  std::vector<std::unique_ptr<const EventStage>> stages;
  stages.push_back(std::make_unique<HidingStage>());
  const Protocols protocols(std::move(served), std::move(stages));
  ProtocolReaders readers(&protocols, std::make_shared<const Plan>(NoPlan()));
  ASSERT_EQ(protocols.paths().size(), std::size(kSegmentPaths) + 1);
  for (const ProtocolPath& path : protocols.paths()) {
    const bool is_batch = path.path.ends_with("batch") || path.path.ends_with("/b") || path.path.ends_with("/import");
    for (const bool hidden : {false, true}) {
      std::string body = R"({"type":"track","event":"E","previousId":"p","groupId":"g","timestamp":"2026-03-01T09:00:00Z","userId":")";
      body += hidden ? "hidden\"}" : "seen\"}";
      if (is_batch) body = "{\"batch\":[" + body + "]}";
      const ParsedRequest read = readers.Read({path.path, body, kReceived});
      ASSERT_EQ(read.events.size(), 1u) << path.path;
      EXPECT_TRUE(read.events[0].ok()) << path.path;
      EXPECT_EQ(read.events[0].dropped, hidden) << path.path;
    }
  }
}

}  // namespace
}  // namespace attune
