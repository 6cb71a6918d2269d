// Past memberships, consents and scores: state that is part of a snapshot and has a bound.
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "plan/plan.h"

namespace attune {
namespace {

constexpr Millis kBegin = 1'767'225'600'000;  // 2026-01-01

std::shared_ptr<const Program> Compiled(const std::string& yaml) {
  LoadedPlan loaded = ParsePlan(yaml);
  for (const Problem& problem : loaded.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
  EXPECT_NE(loaded.plan, nullptr);
  return Program::Compile(std::move(loaded.plan));
}

// An engine and the history of ann, whose instants count from kBegin.
class Ann {
 public:
  explicit Ann(std::shared_ptr<const Program> program) : program_(program), engine_(program), reader_(program) {}

  // Transitions and firings as `minute +segment`, `minute -segment`, `minute !trigger`; a corrected one with `*`.
  std::string Does(const std::string& name, Millis at, const std::string& properties = "{}", const std::string& context = "{}") {
    EventHead head;
    const std::string id = std::to_string(++events_);
    head.id = id;
    head.user = "ann";
    head.name = name;
    head.time = head.received = kBegin + at;
    std::string bytes;
    EncodeEvent(head, R"({"event":")" + name + R"(","properties":)" + properties + R"(,"context":)" + context + "}", &bytes);
    const auto record = reader_.Read(bytes);
    EXPECT_TRUE(record.ok());
    return Applies(*record);
  }

  std::string IsSaid(FactKind kind, const std::string& name, Millis at, const std::string& json) {
    const Fact fact{kind, kBegin + at, name, json};
    Record record;
    record.kind = EventKind::kIdentify;
    record.user = "ann";
    record.id = static_cast<uint64_t>(++events_);
    record.time = fact.time;
    record.facts = {&fact, 1};
    return Applies(record);
  }

  std::string Passes(Millis at) {
    Effects effects;
    engine_.Advance(kBegin + at, &effects);
    return Text(effects);
  }

  // Moves the user to another engine by way of a snapshot.
  void Moves(Ann* other) const {
    const std::string bytes = Written();
    EXPECT_TRUE(other->engine_.Restore("ann", bytes).ok());
    other->events_ = events_;
    EXPECT_EQ(other->Written(), bytes);
  }

  const UserState& user() const { return *engine_.Find("ann"); }
  Engine& engine() { return engine_; }
  std::string Metric(size_t i, Millis at) { return ToJson(engine_.Evaluate(program_->metric_roots[i], user(), kBegin + at).value); }

 private:
  std::string Written() const {
    ByteWriter out;
    WriteUser(user(), engine_.interner(), &out);
    return out.Take();
  }

  std::string Applies(const Record& record) {
    Effects effects;
    engine_.Apply(record, &effects);
    return Text(effects);
  }

  std::string Text(const Effects& effects) const {
    std::string text;
    for (const Transition& t : effects.transitions) {
      text += std::to_string((t.at - kBegin) / kMinute) + (t.enter ? " +" : " -") + program_->conditions[t.segment].name + (t.corrected ? "* " : " ");
    }
    for (const TriggerFiring& f : effects.firings) {
      text += std::to_string((f.at - kBegin) / kMinute) + " !" + program_->conditions[f.trigger].name + ' ';
    }
    return text;
  }

  std::shared_ptr<const Program> program_;
  Engine engine_;
  RecordReader reader_;
  int events_ = 0;
};

constexpr char kReading[] = R"yaml(
segments:
  engrossed: {when: in_segment(reading) for 45m}
  paused: {when: "left(reading[1h])"}
  reading: {when: "count(page_viewed{path = \"/\"}[30m]) >= 1 and distinct(page_viewed.path[1d]) < 5"}
)yaml";

TEST(Memberships, AreCorrectedAfterASnapshot) {
  const auto program = Compiled(kReading);
  Ann before(program);
  EXPECT_EQ(before.Does("page_viewed", 0, R"({"path":"/"})"), "0 +reading ");
  EXPECT_EQ(before.Does("page_viewed", 40 * kMinute, R"({"path":"/"})"), "30 -reading 30 +paused 40 +reading ");
  EXPECT_EQ(before.Does("search", 50 * kMinute), "");
  Ann after(program);
  before.Moves(&after);
  for (Ann* ann : {&before, &after}) {
    EXPECT_EQ(ann->Does("page_viewed", 25 * kMinute, R"({"path":"/sale"})"), "");
    EXPECT_EQ(ann->Does("page_viewed", 25 * kMinute, R"({"path":"/"})"), "50 +engrossed* 50 -paused* ");
    EXPECT_EQ(ann->Passes(3 * kHour), "70 -reading 70 -engrossed 70 +paused 130 -paused ");
  }
}

TEST(Memberships, OfPlansThatDoNotAskAreNotKept) {
  Ann ann(Compiled("segments: {reading: {when: 'count(page_viewed[30m]) >= 1'}}"));
  ann.Does("page_viewed", 0);
  EXPECT_EQ(ann.user().memberships(), nullptr);
}

TEST(Memberships, KeepOfThePastWhatALateEventCanChange) {
  Ann ann(Compiled(kReading));
  for (int i = 0; i < 5000; ++i) ann.Does("page_viewed", i * 40 * kMinute, R"({"path":"/"})");
  const Memberships& kept = *ann.user().memberships();
  EXPECT_FALSE(kept.truncated());
  // 25 hours of events, that is 38, and the batch that is dropped at once.
  EXPECT_LE(kept.events().size(), 80u);
  EXPECT_LE(kept.changes(0).size(), 16u);
}

TEST(Memberships, BeyondThePlansLimitAreIncomplete) {
  Ann ann(Compiled("limits: {events: 20}\nmetrics: {m: 'entered(odd)'}\nsegments: {odd: {when: 'last(a.n) = 1'}}"));
  for (int i = 0; i < 100; ++i) ann.Does("a", i * kMinute, i % 2 == 1 ? R"({"n":1})" : R"({"n":2})");
  const Memberships& kept = *ann.user().memberships();
  EXPECT_TRUE(kept.truncated());
  EXPECT_LE(kept.events().size(), 31u);
  EXPECT_EQ(ann.Metric(0, kDay), "true");
  EXPECT_TRUE(ann.engine().incomplete());
}

TEST(Facts, ConsentsAreReadOfAnyEvent) {
  Ann ann(Compiled("segments: {mail: {when: consent(email)}, show: {when: 'consent(\"a.b\")'}}"));
  const auto consents = [](const char* given) { return R"({"consent":{"categoryPreferences":)" + std::string(given) + "}}"; };
  EXPECT_EQ(ann.Does("any", 0, "{}", consents(R"({"email":true,"a.b":true})")), "0 +mail 0 +show ");
  EXPECT_EQ(ann.Does("any", kMinute, "{}", consents(R"({"email":"no","a":{"b":false}})")), "");
  EXPECT_EQ(ann.Does("any", kMinute, R"({"text":"categoryPreference categoryPreferences"})"), "");
  EXPECT_EQ(ann.Does("any", kMinute, "{}", consents("[]")), "");
  EXPECT_EQ(ann.Does("any", kMinute, "{}", consents(R"({"email":false})")), "1 -mail ");
  EXPECT_EQ(ann.user().FindFact(FactKind::kConsent, "email")->json, "false");
  EXPECT_EQ(ann.user().FindFact(FactKind::kConsent, "a"), nullptr);
}

TEST(Facts, ScoresAndClustersAreWhatAModelSaidLast) {
  const auto program = Compiled(
      "metrics: {m: 'score(churn)', n: 'cluster(styles)'}\n"
      "segments: {risky: {when: 'score(churn) > 0.5'}, was_risky: {when: 'left(risky)'}}");
  Ann ann(program);
  EXPECT_EQ(ann.Does("a", 0), "");
  EXPECT_EQ(ann.Metric(0, 0), "null");
  EXPECT_EQ(ann.IsSaid(FactKind::kScore, "churn", 10 * kMinute, "0.75"), "10 +risky ");
  EXPECT_EQ(ann.IsSaid(FactKind::kCluster, "styles", 10 * kMinute, R"("bold")"), "");
  Ann after(program);
  ann.Moves(&after);
  EXPECT_EQ(after.Metric(0, kHour), "0.75");
  EXPECT_EQ(after.Metric(1, kHour), R"("bold")");
  EXPECT_EQ(after.IsSaid(FactKind::kScore, "churn", 5 * kMinute, "0.25"), "");
  EXPECT_EQ(after.IsSaid(FactKind::kScore, "churn", 20 * kMinute, "0.25"), "20 -risky 20 +was_risky ");
  // A late event: the user was at risk at no instant.
  EXPECT_EQ(after.IsSaid(FactKind::kScore, "churn", 10 * kMinute, "0.25"), "20 -was_risky* ");
}

}  // namespace
}  // namespace attune
