// Bounds the cost of the passing of time: counts transitions and judgements over any span.
#include <gtest/gtest.h>

#include <string>

#include "engine/engine.h"
#include "plan/plan.h"

namespace attune {
namespace {

Millis At(const std::string& text) {
  const auto instant = ParseRfc3339(text);
  EXPECT_TRUE(instant) << text;
  return instant.value_or(0);
}

// An engine with its users, whose events are all called `e`.
class Passing {
 public:
  explicit Passing(const std::string& plan) {
    LoadedPlan loaded = ParsePlan(plan);
    for (const Problem& problem : loaded.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
    program_ = Program::Compile(std::move(loaded.plan));
    engine_ = std::make_unique<Engine>(program_);
  }

  void Event(const std::string& user, Millis at, const std::string& properties = "{}") {
    EventHead head;
    const std::string id = std::to_string(++events_);
    head.id = id;
    head.user = user;
    head.name = "e";
    head.time = head.received = at;
    std::string bytes;
    EncodeEvent(head, R"({"event":"e","properties":)" + properties + "}", &bytes);
    RecordReader reader(program_);
    engine_->Apply(*reader.Read(bytes), &effects);
  }
  void Pass(Millis until) { engine_->Advance(until, &effects); }

  // Transitions and judgements since this was last called.
  size_t Transitions() { return std::exchange(effects.transitions, {}).size(); }
  uint64_t Judgements() { return engine_->judgements() - std::exchange(judgements_, engine_->judgements()); }

  std::string Told(const Transition& t) const {
    return FormatRfc3339(t.at) + (t.enter ? " +" : " -") + program_->conditions[t.segment].name;
  }
  bool Holds(const std::string& user, const std::string& segment) const {
    return engine_->Find(user)->Holds(*program_->FindSegment(segment));
  }
  Millis Since(const std::string& user, const std::string& segment) const {
    return engine_->Find(user)->Since(*program_->FindSegment(segment));
  }
  Engine& engine() { return *engine_; }

  Effects effects;

 private:
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Engine> engine_;
  int events_ = 0;
  uint64_t judgements_ = 0;
};

const Millis kNow = At("2026-03-01T13:00:00Z");  // a Sunday

TEST(CatchUp, ReportsLimitedChangesThenTheNetChange) {
  Passing users("segments: {afternoon: 'hour() >= 12'}");
  users.Event("ann", At("2000-01-01T00:00:00Z"));
  users.Pass(kNow);
  const std::vector<Transition> told = users.effects.transitions;
  ASSERT_EQ(told.size(), 10'001u);
  EXPECT_EQ(users.Told(told[0]), "2000-01-01T12:00:00.000Z +afternoon");
  EXPECT_EQ(users.Told(told[1]), "2000-01-02T00:00:00.000Z -afternoon");
  EXPECT_EQ(users.Told(told[9'999]), "2013-09-09T00:00:00.000Z -afternoon");  // 5,000 days later
  EXPECT_EQ(users.Told(told[10'000]), "2026-03-01T13:00:00.000Z +afternoon");
  // The membership began at the change that was reported.
  EXPECT_EQ(users.Since("ann", "afternoon"), kNow);
  EXPECT_EQ(users.engine().Find("ann")->now, kNow);
  // From then on each change is reported again.
  users.effects = {};
  users.Pass(kNow + kDay);
  ASSERT_EQ(users.effects.transitions.size(), 2u);
  EXPECT_EQ(users.Told(users.effects.transitions[0]), "2026-03-02T00:00:00.000Z -afternoon");
}

TEST(CatchUp, OfAnEventEndsJustBeforeIt) {
  Passing users("limits: {catch_up: 3}\nsegments: {afternoon: 'hour() >= 12', today: 'count(e[today]) >= 1'}");
  users.Event("ann", At("2026-01-01T00:00:00Z"));
  users.effects = {};
  users.Event("ann", At("2026-03-01T13:00:00Z"));
  std::string told;
  for (const Transition& t : users.effects.transitions) told += users.Told(t) + "\n";
  EXPECT_EQ(told,
            "2026-01-01T12:00:00.000Z +afternoon\n"
            "2026-01-02T00:00:00.000Z -afternoon\n"
            "2026-01-02T00:00:00.000Z -today\n"  // the third change; its instant is reported completely
            "2026-03-01T12:59:59.999Z +afternoon\n"
            "2026-03-01T13:00:00.000Z +today\n");
}

TEST(CatchUp, CountsPerUserAndRecord) {
  Passing users("limits: {catch_up: 10}\nsegments: {afternoon: 'hour() >= 12'}");
  for (const char* user : {"ann", "bob"}) users.Event(user, At("2026-01-01T00:00:00Z"));
  users.Pass(At("2026-01-11T00:00:00Z"));
  EXPECT_EQ(users.Transitions(), 20u);
  for (int day = 11; day <= 20; ++day) users.Pass(At("2026-01-" + std::to_string(day) + "T23:00:00Z"));
  EXPECT_EQ(users.Transitions(), 38u);
}

// Changes of triggers' conditions count too, for each key, whether the triggers fire or not.
TEST(CatchUp, CountsWhatTriggersWatch) {
  Passing users("limits: {catch_up: 6}\ntriggers: {t: {enter: 'hour() >= 12', cooldown: 1000d}, k: {leave: 'some(k: count(e) > 0 and hour() >= 12)'}}");
  users.Event("ann", At("2026-01-01T00:00:00Z"), R"({"k": 1})");
  users.Event("ann", At("2026-01-01T00:00:00Z"), R"({"k": 2})");
  users.Pass(At("2026-01-10T13:00:00Z"));
  // Noon and midnight of the first day make three changes each; at the end all three conditions hold again.
  ASSERT_EQ(users.effects.firings.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(FormatRfc3339(users.effects.firings[i].at), i == 0 ? "2026-01-01T12:00:00.000Z" : "2026-01-02T00:00:00.000Z");
  }
  users.effects = {};
  users.Pass(At("2026-01-11T00:00:00Z"));
  EXPECT_EQ(users.effects.firings.size(), 2u);
}

// The example in docs/language.md, for a user of the year 1 and of the year -7973.
TEST(CatchUp, OfThousandsOfYearsIsBounded) {
  Passing users(
      "segments: {weekend: 'weekday() in [6, 7] and hour() >= 20 or date() = 2026-12-24', night: 'hour() >= 22', sunday: 'weekday() = 7',\n"
      "           spring: 'date() >= 2026-03-01', never: 'hour() >= 20 and count(e) > 5', always: 'hour() >= 0'}");
  for (int i = 0; i < 12; ++i) {
    const std::string user = "user " + std::to_string(i);
    users.Event(user, i % 2 == 0 ? At("0001-01-01T00:00:00Z") : At("0001-01-01T00:00:00Z") - 7'973 * 365 * kDay);
    users.Pass(kNow);
    EXPECT_LE(users.Transitions(), 10'000u + 3 * 6u);
    EXPECT_LE(users.Judgements(), 30'000u);
    EXPECT_TRUE(users.Holds(user, "sunday"));
    EXPECT_TRUE(users.Holds(user, "spring"));
    EXPECT_TRUE(users.Holds(user, "always"));
    EXPECT_FALSE(users.Holds(user, "weekend"));
    EXPECT_FALSE(users.Holds(user, "night"));
    EXPECT_FALSE(users.Holds(user, "never"));
  }
}

// A judgement that changes nothing is work too.
TEST(CatchUp, LooksSeldomAtWhatNeverChanges) {
  for (const char* when : {"hour() >= 0", "not (hour() = 24)", "hour() in [25, 26]", "hour() between -1 and 30", "weekday() != 9", "date() < 9999-01-01",
                           "hour() >= 20 and count(e) > 5", "count(e) > 5 and date() != 2026-01-01", "hour() >= 7 or count(e) >= 1",
                           "hour() >= count(e) - 1", "weekday() = 3 and hour() = 7 and date() = 0001-01-01", "some(k: hour() < 24)",
                           "count(e[today]) >= 0", "hour() < 12 and hour() > count(e) + 30"}) {
    Passing users(std::string("segments: {a: '") + when + "'}");
    users.Event("ann", At("0001-01-01T00:00:00Z"), R"({"k": 1})");
    users.Judgements();
    users.Pass(kNow);
    EXPECT_LE(users.Judgements(), 2'000u) << when;
    EXPECT_LE(users.Transitions(), 2u) << when;
  }
}

// With few judgements it finds every change that judging each hour finds.
TEST(CatchUp, FindsEveryChangeWithPatience) {
  for (const char* zone : {"UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca"}) {
    for (const char* when : {"hour() = 2", "hour() != 2 and weekday() = 7", "hour() in [1, 3, 22]", "not hour() between 2 and 5", "hour() >= 7 and weekday() <= 5",
                             "weekday() in [6, 7] and hour() >= 20 or date() = 2024-12-24", "date() = 2024-03-31", "date() != 2024-10-27 and hour() = 1",
                             "date() in [2024-02-29, 2025-03-01T12:00:00, 2025-01-01]", "date() between 2024-05-01T00:00:01 and 2024-06-30",
                             "date() > 2024-07-01 and date() <= 2025-01-01", "hour() > count(e[30d]) * 5", "weekday() > count(e[2d]) or hour() = 4",
                             "date() >= last_time(e) and hour() < 1", "date() < first_time(e[300d])", "some(k: hour() >= 23 and count(e[100d]) > 0)",
                             "since(e) < 200d and hour() >= 12 or since(e) >= 400d and weekday() = 1"}) {
      const std::string plan = "timezone: " + std::string(zone) + "\nlimits: {catch_up: 100000}\nsegments: {a: '" + when + "'}\n";
      Passing patient(plan), hourly(plan);
      for (Passing* users : {&patient, &hourly}) {
        for (const char* at : {"2024-01-31T10:00:00Z", "2024-02-01T00:30:00Z"}) users->Event("ann", At(at), R"({"k": 1})");
      }
      const Millis end = At("2025-06-01T00:00:00Z");
      patient.Pass(end);
      for (Millis at = At("2024-02-01T01:00:00Z"); at <= end; at += kHour / 2) hourly.Pass(at);
      const auto told = [](const Passing& users) {
        std::string text;
        for (const Transition& t : users.effects.transitions) text += users.Told(t) + "\n";
        return text;
      };
      EXPECT_EQ(told(patient), told(hourly)) << when << " in " << zone;
      EXPECT_LE(patient.Judgements(), hourly.Judgements()) << when;
    }
  }
}

// Unpredictable conditions are bounded too, and are right at the end.
TEST(CatchUp, BoundsItsLooksWhateverThePlan) {
  for (const char* when : {"abs(hour() - 12) < 13 and count(e) < 2 and hour() + 0 >= 0", "some(k: abs(hour() - 12) < 13 and hour() + 0 >= 0)"}) {
    Passing users(std::string("segments: {a: '") + when + "', b: 'count(e) >= 2 or hour() * 2 = 26 and date() + 0s >= 2026-03-01'}");
    users.Event("ann", At("0001-01-01T00:00:00Z"), R"({"k": 1})");
    users.Judgements();
    users.Transitions();
    users.Pass(kNow);
    EXPECT_LE(users.Judgements(), 620'000u) << when;
    EXPECT_EQ(users.Transitions(), 1u) << when;
    EXPECT_TRUE(users.Holds("ann", "a"));
    EXPECT_TRUE(users.Holds("ann", "b"));
    EXPECT_EQ(users.engine().Find("ann")->now, kNow);
  }
}

// Exits that do not depend on the clock stay exact over any time.
TEST(CatchUp, LeavesOtherExitsExact) {
  Passing users("segments: {gone: 'since(e) >= 200000d', early: 'hour() >= 0'}");
  users.Event("ann", At("1000-01-01T00:00:00Z"));
  users.effects = {};
  users.Pass(kNow);
  ASSERT_EQ(users.effects.transitions.size(), 1u);
  EXPECT_EQ(users.effects.transitions[0].at, At("1000-01-01T00:00:00Z") + 200'000 * kDay);
}

// Past memberships follow from `when`, whether reported or not.
TEST(CatchUp, KeepsWhatSegmentsWere) {
  const std::string plan =
      "segments: {afternoon: 'hour() >= 12', lately: 'left(afternoon[8h])', stayed: 'in_segment(afternoon) for 30m', once: 'entered(afternoon";
  const auto compare = [&](const std::string& limits, const std::string& once, const std::string& now) {
    Passing leaping(limits + plan + once), walking(plan + once);
    for (Passing* users : {&leaping, &walking}) users->Event("ann", At("2026-01-01T00:00:00Z"));
    leaping.Pass(At(now));
    for (Millis at = At("2026-01-01T01:00:00Z"); at < At(now); at += kHour) walking.Pass(at);
    walking.Pass(At(now));
    for (const char* segment : {"afternoon", "lately", "stayed", "once"}) {
      EXPECT_EQ(leaping.Holds("ann", segment), walking.Holds("ann", segment)) << limits << once << segment << " at " << now;
    }
  };
  for (const char* limits : {"", "limits: {catch_up: 1}\n", "limits: {catch_up: 7}\n"}) {
    for (const char* once : {"[1h])'}\n", "[ever])'}\n"}) {
      for (const char* now : {"2026-03-01T12:20:00Z", "2026-03-01T12:40:00Z", "2026-03-01T07:00:00Z", "2026-03-01T08:00:00Z"}) {
        compare(limits, once, now);
      }
    }
  }
}

// The bound applies to each late event.
TEST(CatchUp, BoundsWhatIsRetold) {
  Passing users(
      "segments: {odd: 'hour() + 0 >= 12 and count(e) >= 1', ever: 'left(odd)'}\n"
      "metrics: {m: 'left(odd)'}");
  users.Event("ann", At("2026-03-01T10:00:00Z"));
  users.Judgements();
  users.Event("ann", At("0001-01-01T00:00:00Z"));
  EXPECT_LE(users.Judgements(), 620'000u);
  EXPECT_TRUE(users.Holds("ann", "ever"));
  EXPECT_LE(users.Transitions(), 4u);
  // Changes may be missing, and answers that depend on them are incomplete.
  users.engine().Evaluate(users.engine().program().metric_roots[0], *users.engine().Find("ann"), At("2026-03-01T10:00:00Z"));
  EXPECT_TRUE(users.engine().incomplete());

  // If no window can contain old changes, they are not computed.
  Passing seldom("segments: {afternoon: 'hour() >= 12 and count(e) >= 0', lately: 'entered(afternoon[7d])'}");
  seldom.Event("ann", At("2026-03-01T10:00:00Z"));
  seldom.Judgements();
  seldom.Event("ann", At("0001-01-01T00:00:00Z"));
  EXPECT_LE(seldom.Judgements(), 500u);
  EXPECT_TRUE(seldom.Holds("ann", "lately"));
}

TEST(CatchUp, IsWhatARebuiltUserCostsToo) {
  Passing users("segments: {afternoon: 'hour() >= 12', odd: 'hour() + 0 >= 12', lately: 'entered(afternoon[7d]) and left(odd[3d])'}");
  users.Event("ann", At("0001-01-01T00:00:00Z"));
  users.Transitions();
  users.Judgements();
  std::string bytes;
  EventHead head;
  head.id = "x";
  head.user = "ann";
  head.name = "e";
  head.time = head.received = At("0001-01-02T00:00:00Z");
  EncodeEvent(head, R"({"event":"e"})", &bytes);
  RecordReader reader(users.engine().shared_program());
  Engine::Draft draft = users.engine().BeginDraft("ann", true);
  users.engine().AddTo(&draft, {1, bytes}, &reader);
  users.engine().Rebuild("ann", kNow, std::move(draft), &users.effects);
  EXPECT_LE(users.Transitions(), 10'000u + 6u);
  EXPECT_LE(users.Judgements(), 150'000u);
  EXPECT_TRUE(users.Holds("ann", "lately"));
}

}  // namespace
}  // namespace attune
