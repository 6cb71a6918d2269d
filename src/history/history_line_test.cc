#include "history/history_line.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

constexpr Millis kLineReceived = 1772359200000;  // 2026-03-01T10:00:00Z

struct Case {
  std::string_view type;  // implied by the path
  std::string_view sent;
  std::string line;  // empty: as sent
};

TEST(HistoryLine, ReadsAsTheEventThatWasStored) {
  const Case cases[] = {
      {"", R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z"})", ""},
      {"", R"({"type":"page","name":"Home","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z"})", ""},
      // Blanks and duplicate members stay; line breaks become spaces.
      {"",
       "{ \"type\" :\"track\",\r\n\"event\":\"A\\n\", \"userId\":1, \"userId\":2,\"messageId\":\"m\",\"timestamp\":\"2026-03-01T09:00:00Z\"\n}",
       "{ \"type\" :\"track\",  \"event\":\"A\\n\", \"userId\":1, \"userId\":2,\"messageId\":\"m\",\"timestamp\":\"2026-03-01T09:00:00Z\" }"},
      {"track", R"({"event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z"})",
       R"({"event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","type":"track"})"},
      {"screen", R"({"event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z"})",
       R"({"event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","type":"screen"})"},
      {"page", R"({"userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z"})",
       R"({"userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","type":"page"})"},
      {"identify", R"({"userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","traits":{}})",
       R"({"userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","traits":{},"type":"identify"})"},
      // The server's own time, and a time that it corrected by ten minutes.
      {"", R"({"type":"track","event":"A","userId":"ann","messageId":"m"})",
       R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T10:00:00.000Z","originalTimestamp":"2026-03-01T10:00:00.000Z"})"},
      // With a clock that is ignored.
      {"",
       R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","sentAt":"9999-01-01T00:00:00Z"})",
       R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T09:00:00Z","sentAt":"9999-01-01T00:00:00Z","timestamp":"2026-03-01T10:00:00.000Z","originalTimestamp":"2026-03-01T10:00:00.000Z"})"},
      {"",
       R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T11:10:00Z"})",
       R"({"type":"track","event":"A","userId":"ann","messageId":"m","timestamp":"2026-03-01T11:00:00Z","sentAt":"2026-03-01T11:10:00Z","timestamp":"2026-03-01T09:50:00.000Z","originalTimestamp":"2026-03-01T09:50:00.000Z"})"},
  };
  Plan plan;
  TrackingPlan admission(plan);
  for (const Case& c : cases) {
    Origin origin;
    origin.type = c.type;
    origin.received = kLineReceived;
    const Admission sent = admission.Admit(c.sent, origin);
    ASSERT_TRUE(sent.ok()) << c.sent << ": " << sent.dead->first().detail;
    std::string stored;
    EncodeEvent(sent.head, sent.json, &stored);
    const auto event = DecodeEvent(stored);
    ASSERT_TRUE(event.ok());

    std::string line;
    const bool added = AppendHistoryLine(*event, &admission, &line);
    EXPECT_EQ(line, c.line.empty() ? c.sent : c.line);
    EXPECT_EQ(added, line.size() != c.sent.size()) << line;
    Origin history;
    history.history = true;
    history.file = true;
    const Admission read = admission.Admit(line, history);
    ASSERT_TRUE(read.ok()) << line << ": " << read.dead->first().detail;
    EXPECT_EQ(read.head.kind, event->head.kind);
    EXPECT_EQ(read.head.id, event->head.id);
    EXPECT_EQ(read.head.user, event->head.user);
    EXPECT_EQ(read.head.name, event->head.name);
    EXPECT_EQ(read.head.time, event->head.time);
  }
}

TEST(HistoryLine, AnIdThatTheServerMadeIsAdded) {
  Plan plan;
  TrackingPlan admission(plan);
  Origin origin;
  origin.received = kLineReceived;
  const Admission sent =
      admission.Admit(R"({"type":"track","event":"A","userId":"ann","timestamp":"2026-03-01T09:00:00Z"})", origin);
  ASSERT_TRUE(sent.ok());
  std::string stored, line;
  EncodeEvent(sent.head, sent.json, &stored);
  const auto event = DecodeEvent(stored);
  EXPECT_TRUE(AppendHistoryLine(*event, &admission, &line));
  EXPECT_EQ(line, R"({"type":"track","event":"A","userId":"ann","timestamp":"2026-03-01T09:00:00Z","messageId":")" +
                      std::string(event->head.id) + "\"}");
}

// The largest accepted event is still accepted with the added members.
TEST(HistoryLine, WhatIsAddedDoesNotMakeAnEventTooLarge) {
  Plan plan;
  TrackingPlan admission(plan);
  std::string json = R"({"event":"A","userId":"ann","properties":{"p":""}})";
  json.insert(json.size() - 3, std::string(IngestLimits().event_bytes - json.size(), 'x'));
  Origin origin;
  origin.type = "track";
  origin.received = kLineReceived;
  const Admission sent = admission.Admit(json, origin);
  ASSERT_TRUE(sent.ok());
  std::string stored, line;
  EncodeEvent(sent.head, sent.json, &stored);
  EXPECT_TRUE(AppendHistoryLine(*DecodeEvent(stored), &admission, &line));
  Origin history;
  history.history = true;
  history.file = true;
  EXPECT_TRUE(admission.Admit(line, history).ok());
}

}  // namespace
}  // namespace attune
