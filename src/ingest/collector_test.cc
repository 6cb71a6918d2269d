// The collector and the replay of letters, with a second wire protocol beside Segment's: a pixel.
#include "ingest/collector.h"

#include <gtest/gtest.h>

#include <future>

#include "dead_letter/dead_letters.h"
#include "event/json_string.h"
#include "fake_disk/fake_disk_log.h"
#include "fake_store/fake_batch_log.h"
#include "ingest/letter_replay.h"
#include "ingest/tracking_plan.h"
#include "state/keyspace.h"

namespace attune {
namespace {

constexpr Millis kNow = 1'772'359'200'000;  // 2026-03-01T10:00:00Z

// The body is `KEY USER`, or several users; the event of each is a `seen`. Answers are an image.
class PixelProtocol : public Protocol {
 public:
  std::atomic<bool> refuses_all{false};  // whole requests
  std::atomic<bool> is_strict{false};    // events of `old` users are refused

  std::vector<ProtocolPath> paths() const override { return {{"/i", "Takes an event by pixel"}}; }
  std::unique_ptr<ProtocolReader> NewReader(const Plan& plan) const override {
    return std::make_unique<Reader>(this, plan);
  }
  ProtocolAnswer Answer(std::string_view path, const std::vector<ParsedEvent>& events) const override {
    EXPECT_EQ(path, "/i");
    return {"image/gif", "GIF" + std::to_string(events.size())};
  }

 private:
  class Reader : public ProtocolReader {
   public:
    Reader(const PixelProtocol* protocol, const Plan& plan) : protocol_(*protocol), admission_(plan) {}

    ParsedRequest Read(const ProtocolRequest& request) override {
      ParsedRequest out;
      std::string_view rest = request.body;
      const size_t blank = std::min(rest.find(' '), rest.size());
      out.write_key = rest.substr(0, blank);
      if (protocol_.refuses_all) {
        out.refusal = Refusal{Code::kBodyEmpty, "no pixel today"};
        return out;
      }
      rest.remove_prefix(std::min(blank + 1, rest.size()));
      out.events.push_back(ReadEvent({.path = request.path,
                                      .source = "/i[0]",
                                      .json = "{\"user\":\"" + std::string(rest) + "\"}",
                                      .received = request.received,
                                      .id = request.id}));
      return out;
    }
    ParsedEvent ReadEvent(const KeptEvent& kept) override {
      EXPECT_EQ(kept.path, "/i");
      ParsedEvent event;
      const std::string_view quoted = kept.json.substr(8, kept.json.size() - 9);
      const std::string user = TextOfJsonString(quoted).value_or("");
      if (protocol_.is_strict && user.starts_with("old")) {
        event.dead = DeadLetter{.source = std::string(kept.source),
                                .errors = {{Reason::kUnknownEvent, "", "old"}},
                                .message_id = "",
                                .event = std::string(kept.json),
                                .event_is_json = true};
        return event;
      }
      const std::string json = R"({"event":"seen","userId":")" + user + "\"}";
      Origin origin;
      origin.source = kept.source;
      origin.type = "track";
      origin.received = kept.received;
      origin.id = kept.id;
      const Admission admitted = admission_.Admit(json, origin);
      EXPECT_TRUE(admitted.ok());
      event.message_id = admitted.head.id;
      event.record = EventRecord(admitted.head, admitted.json);
      return event;
    }

   private:
    const PixelProtocol& protocol_;
    TrackingPlan admission_;
  };
};

// Drops the events of `hidden` users, and gives those of `renamed` ones to `someone`.
class TestStage : public EventStage {
 public:
  bool Pass(ParsedEvent* event) const override {
    const std::string user(event->record.user());
    if (user.ends_with("hidden")) return false;
    if (!user.ends_with("renamed")) return true;
    auto decoded = DecodeEvent(event->record.bytes());
    EXPECT_TRUE(decoded.ok());
    decoded->head.user = "someone";
    event->record = EventRecord(decoded->head, decoded->json);
    return true;
  }
};

class CollectorTest : public testing::Test {
 protected:
  CollectorTest() {
    RuntimeOptions options;
    options.clock = [] { return kNow; };
    FileLogOptions log_options;
    log_options.disk = &disk_;
    log_options.reserve_bytes = 64 << 10;
    options.open_log = FileLogIn("data/log", log_options);
    options.store.batch_log = &batches_;
    options.on_store = [this](Store* store) { letters_.SetStore(store); };
    options.on_dead_letter = [this](const RecordView& record) { return letters_.StoreRecord(record); };
    runtime_ = Runtime::Open("data", Program::Compile(ParsePlan("segments: {s: {when: 'count(seen) >= 1'}}").plan),
                             std::move(options))
                   .value();
    keys_ = Keys::Open(&runtime_->store(), testing::TempDir() + "/no_such_keys", {"WK", "AK", {{{"web", {}}, "WEB"}}}).value();
    auto pixel = std::make_unique<PixelProtocol>();
    pixel_ = pixel.get();
    std::vector<std::unique_ptr<const Protocol>> protocols;
    protocols.push_back(std::move(pixel));
    std::vector<std::unique_ptr<const EventStage>> stages;
    stages.push_back(std::make_unique<TestStage>());
    protocols_ = std::make_unique<Protocols>(std::move(protocols), std::move(stages));
    collector_ = std::make_unique<Collector>(runtime_.get(), &keys_, protocols_.get(), RateOptions(), &draining_);
  }
  ~CollectorTest() override { runtime_->Close(); }

  UploadOutcome Collect(std::string_view body, std::string_view query = "") {
    std::promise<UploadOutcome> outcome;
    collector_->Collect({.path = "/i", .query = query, .body = body, .peer = "192.0.2.1"},
                        [&](UploadOutcome given) { outcome.set_value(std::move(given)); });
    return outcome.get_future().get();
  }
  bool Knows(const std::string& user) {
    std::promise<bool> known;
    runtime_->AskPerson(user, [&](Shard& shard, std::string_view person, Millis) {
      known.set_value(shard.engine().Find(person) != nullptr);
    });
    return known.get_future().get();
  }
  // Until the store has every letter that is durable now.
  void AwaitLetters() {
    for (int shard = 0; shard < kShards; ++shard) {
      std::promise<void> passed;
      runtime_->AskNow(static_cast<uint8_t>(shard), [&](Shard&, Millis) { passed.set_value(); });
      passed.get_future().get();
    }
    std::promise<void> stored;
    runtime_->WhenStored([&] { stored.set_value(); });
    stored.get_future().get();
  }
  StudyOutcome Replay() {
    AwaitLetters();
    StudyProgress progress;
    const LetterFilter all = LetterFilter::Read([](std::string_view) { return std::optional<std::string>(); }).value();
    return LetterReplay(runtime_.get(), &letters_, protocols_.get(), runtime_->plan_state()->program().plan, {all})
        .Run(&progress);
  }
  std::string MetricsText() {
    Metrics metrics;
    collector_->AddMetrics(&metrics);
    return metrics.Text();
  }

  FakeDisk disk_;
  FakeBatchLog batches_;
  DeadLetters letters_;
  std::unique_ptr<Runtime> runtime_;
  Keys keys_;
  PixelProtocol* pixel_ = nullptr;
  std::unique_ptr<Protocols> protocols_;
  std::atomic<bool> draining_{false};
  std::unique_ptr<Collector> collector_;
};

TEST_F(CollectorTest, AProtocolGivesTheEventsAndTheAnswer) {
  const UploadOutcome outcome = Collect("WK ann");
  ASSERT_FALSE(outcome.refusal.has_value()) << outcome.refusal->detail;
  EXPECT_EQ(outcome.answer.content_type, "image/gif");
  EXPECT_EQ(outcome.answer.body, "GIF1");
  EXPECT_EQ(outcome.position, runtime_->durable_sequence());
  EXPECT_TRUE(Knows("ann"));
  EXPECT_NE(MetricsText().find("attune_events_accepted_total 1\n"), std::string::npos);
}

TEST_F(CollectorTest, TheKeyMayBeInTheQueryAndMustBeKnown) {
  EXPECT_FALSE(Collect(" eve", "writeKey=WK").refusal.has_value());
  EXPECT_TRUE(Knows("eve"));
  EXPECT_EQ(Collect("no bob").refusal->reason, Code::kInvalidWriteKey);
  EXPECT_EQ(Collect(" bob").refusal->detail, "failed to read writekey from header");
  EXPECT_FALSE(Knows("bob"));
}

TEST_F(CollectorTest, AnOutcomeNamesTheSourceOfItsKey) {
  const auto source = [](const UploadOutcome& outcome) { return outcome.source ? outcome.source->name : "none"; };
  EXPECT_EQ(source(Collect("WEB ann")), "web");
  EXPECT_EQ(source(Collect("WEB ann")), "web");
  EXPECT_EQ(source(Collect("WK ann")), "default");
  EXPECT_EQ(source(Collect("AK ann")), "default");
  EXPECT_EQ(source(Collect("no ann")), "none");
  pixel_->is_strict = true;
  EXPECT_EQ(source(Collect("WEB old joe")), "web");
  pixel_->refuses_all = true;
  EXPECT_EQ(source(Collect("WEB kim")), "web");
  const std::string metrics = MetricsText();
  EXPECT_NE(metrics.find("attune_events_accepted_total 4\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("attune_source_events_total{source=\"default\"} 2\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("attune_source_events_total{source=\"web\"} 2\n"), std::string::npos) << metrics;
}

TEST_F(CollectorTest, RefusesEverythingWhileDraining) {
  draining_ = true;
  const UploadOutcome outcome = Collect("WK ann");
  EXPECT_EQ(outcome.refusal->reason, Code::kDraining);
  EXPECT_EQ(outcome.retry_seconds, 1);
  EXPECT_FALSE(Knows("ann"));
}

TEST_F(CollectorTest, ADeadLetterIsReplayedByTheProtocolThatReceivedIt) {
  pixel_->is_strict = true;
  EXPECT_EQ(Collect("WK old joe").answer.body, "GIF1");
  EXPECT_FALSE(Knows("old joe"));
  const StudyOutcome refused = Replay();
  EXPECT_NE(refused.result.find("\"still_refused\":1"), std::string::npos) << refused.result;
  pixel_->is_strict = false;
  const StudyOutcome replayed = Replay();
  EXPECT_NE(replayed.result.find("\"replayed\":1"), std::string::npos) << replayed.result;
  EXPECT_TRUE(Knows("old joe"));
  EXPECT_NE(Replay().result.find("\"matched\":0"), std::string::npos);
}

TEST_F(CollectorTest, ARefusedRequestIsKeptAndReplayed) {
  pixel_->refuses_all = true;
  const UploadOutcome outcome = Collect("WK kim");
  EXPECT_EQ(outcome.refusal->reason, Code::kBodyEmpty);
  EXPECT_EQ(outcome.retry_seconds, 0);
  EXPECT_NE(MetricsText().find("attune_dead_letters_total{reason=\"body_empty\"} 1\n"), std::string::npos);
  pixel_->refuses_all = false;
  const StudyOutcome replayed = Replay();
  EXPECT_NE(replayed.result.find("\"replayed\":1"), std::string::npos) << replayed.result;
  EXPECT_TRUE(Knows("kim"));
}

TEST(ProtocolsDeathTest, NoTwoProtocolsServeOnePath) {
  std::vector<std::unique_ptr<const Protocol>> protocols;
  protocols.push_back(std::make_unique<PixelProtocol>());
  protocols.push_back(std::make_unique<PixelProtocol>());
  EXPECT_DEATH(Protocols(std::move(protocols)), "a path leads to one protocol");
}

TEST_F(CollectorTest, AStageDropsAndChangesEventsOfARequest) {
  const uint64_t before = runtime_->durable_sequence();
  const UploadOutcome dropped = Collect("WK hidden");
  EXPECT_FALSE(dropped.refusal.has_value());
  EXPECT_EQ(dropped.answer.body, "GIF1") << "its sender does not see it";
  EXPECT_EQ(dropped.position, 0u);
  EXPECT_EQ(runtime_->durable_sequence(), before);
  EXPECT_FALSE(Knows("hidden"));
  EXPECT_NE(MetricsText().find("attune_events_dropped_total 1\n"), std::string::npos);
  EXPECT_NE(MetricsText().find("attune_events_accepted_total 0\n"), std::string::npos);
  Collect("WK renamed");
  EXPECT_FALSE(Knows("renamed"));
  EXPECT_TRUE(Knows("someone"));
}

TEST_F(CollectorTest, AStageDropsAndChangesEventsOfReplayedLetters) {
  pixel_->is_strict = true;
  Collect("WK old hidden");
  Collect("WK old renamed");
  pixel_->is_strict = false;
  pixel_->refuses_all = true;
  Collect("WK hidden");
  Collect("WK renamed");
  pixel_->refuses_all = false;
  const StudyOutcome replayed = Replay();
  EXPECT_NE(replayed.result.find("\"replayed\":2,\"still_refused\":0,\"not_replayable\":2"), std::string::npos) << replayed.result;
  EXPECT_NE(replayed.result.find("consent or privacy does not let it pass"), std::string::npos) << replayed.result;
  EXPECT_TRUE(Knows("someone"));
  for (const char* user : {"old hidden", "old renamed", "hidden", "renamed"}) EXPECT_FALSE(Knows(user)) << user;
}

}  // namespace
}  // namespace attune
