// Questions see the present state, and have no side effects: no record of the log and no change of state.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/output.h"
#include "fake_disk/fake_disk_log.h"
#include "fake_store/fake_batch_log.h"
#include "memory_log/memory_log.h"
#include "plan/plan.h"
#include "shard/runtime.h"
#include "shard/user_view.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

constexpr Millis kQuestionsBegin = 1'767'225'600'000;  // 2026-01-01
constexpr char kQuestionsPlan[] = R"(
segments:
  active: {when: 'count(a[10m]) >= 1'}
  busy: {when: 'count(a[1h]) >= 3'}
  silent: {when: 'a then no b for 20m'}
  morning: {when: 'hour() < 12 and count(a) >= 1'}
metrics:
  lately: count(a[30m])
  spent: sum(b.price[2h])
)";

class QuestionsTest : public testing::Test {
 protected:
  QuestionsTest() {
    LoadedPlan loaded = ParsePlan(kQuestionsPlan);
    for (const Problem& problem : loaded.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
    program_ = Program::Compile(std::move(loaded.plan));
  }

  void Start(OpenLog open_log) {
    RuntimeOptions options;
    options.workers = &workers_;
    options.threads = 2;
    options.clock = [this] { return now_; };
    options.steady = [this] { return steady_; };
    options.store.batch_log = &batches_;
    options.open_log = std::move(open_log);
    auto runtime = Runtime::Open("data", program_, std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }
  void Start() { Start(MemoryLogWith({.workers = &workers_})); }
  void Log(const std::string& user, const std::string& name) {
    const std::string id = std::to_string(++events_);
    EventHead head;
    head.id = id;
    head.user = user;
    head.name = name;
    head.time = head.received = now_;
    const EventRecord event(head, R"({"event":")" + name + R"(","properties":{"price":)" + id + "}}");
    const NewRecord record = NewRecord::Event(event);
    ASSERT_TRUE(runtime_->Append({&record, 1}, nullptr).ok());
    Settle();
  }
  // Applies everything that is pending while the loops' clock is stopped, so no timers are checked.
  void Settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const StepWorkers::Mover& worker : workers_.All()) moved |= workers_.IsBusy(worker.id) && workers_.Step(worker.id);
    }
    ASSERT_TRUE(runtime_->idle());
  }
  // Makes the loops check for due timers.
  void LookForTimers() {
    steady_ += std::chrono::milliseconds(RuntimeOptions().tick_every_ms);
    for (const StepWorkers::Mover& worker : workers_.All()) workers_.Step(worker.id);
    Settle();
  }
  // The full answer about a user at the instant `t`.
  std::string TextOf(const UserState* user, Engine* engine, Millis t) const {
    if (!user) return "none";
    t = std::max({t, user->now, user->looked});
    std::string text = ValuesJson(*user, t, engine);
    for (ConditionId c = 0; c < program_->segment_count; ++c) {
      text += fmt::format(" {}:{},{}", c, user->Holds(c) ? user->Since(c) : -1, user->Holds(c) ? engine->LapsesAt(*user, c, t) : -1);
    }
    const Session* session = user->sessions.OpenAt(t, program_->sessions);
    if (session) text += fmt::format(" session {} {} {}", session->first, session->first_id, session->events);
    for (const uint64_t sequence : user->recent()) text += fmt::format(" {}", sequence);
    return text;
  }
  std::string Asked(const std::string& user) {
    std::string text;
    runtime_->AskPerson(user, [&](Shard& owner, std::string_view person, Millis now) {
      EXPECT_EQ(now, now_);
      UserView view(&owner.engine(), person, now);
      text = TextOf(view.user(), &view.engine(), now);
    });
    Settle();
    return text;
  }
  // The same for the stored state.
  std::string Kept(const std::string& user) {
    std::string text;
    runtime_->Ask(ShardOf(user), [&](Shard& owner) { text = TextOf(owner.engine().Find(user), &owner.engine(), now_); });
    Settle();
    return text;
  }
  bool Holds(const std::string& user, std::string_view segment) {
    bool holds = false;
    runtime_->Ask(ShardOf(user), [&](Shard& owner) {
      const UserState* state = owner.engine().Find(user);
      holds = state && state->Holds(*program_->FindSegment(segment));
    });
    Settle();
    return holds;
  }

  std::shared_ptr<const Program> program_;
  StepWorkers workers_;
  Millis now_ = kQuestionsBegin;
  std::chrono::steady_clock::time_point steady_{std::chrono::hours(1)};
  FakeDisk disk_;
  FakeBatchLog batches_;
  int events_ = 0;
  std::unique_ptr<Runtime> runtime_;
};

TEST_F(QuestionsTest, APersonIsSeenAsATickWouldLeaveThem) {
  Start();
  std::mt19937_64 random(1);
  int due = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string user = "user " + std::to_string(random() % 5);
    Log(user, random() % 3 == 0 ? "b" : "a");
    now_ += static_cast<Millis>(random() % (2 * 10 * kMinute));
    if (random() % 4 > 0) continue;
    const uint64_t last = runtime_->durable_sequence();
    const std::string before = Kept(user), asked = Asked(user);
    EXPECT_EQ(Kept(user), before) << "a question changes nothing";
    EXPECT_EQ(runtime_->durable_sequence(), last) << "a question logs nothing";
    LookForTimers();
    EXPECT_EQ(Kept(user), asked);
    due += asked != before;
  }
  EXPECT_GT(due, 20) << "timers were due";
  EXPECT_GT(runtime_->stats().ticks, 0u);
}

TEST_F(QuestionsTest, NobodyIsFoundWhoNeverCame) {
  Start();
  EXPECT_EQ(Asked("nobody"), "none");
}

TEST_F(QuestionsTest, AQuestionAboutAllUsersWaitsForTheTimersThatAreDue) {
  Start();
  Log("ann", "a");
  now_ += 11 * kMinute;
  const uint64_t last = runtime_->durable_sequence();
  bool answered = false;
  const Millis asked_at = now_;
  runtime_->AskNow(ShardOf("ann"), [&](Shard& owner, Millis now) {
    answered = true;
    EXPECT_EQ(now, asked_at);
    EXPECT_FALSE(owner.engine().Find("ann")->Holds(*program_->FindSegment("active")));
  });
  Settle();
  EXPECT_FALSE(answered);
  EXPECT_TRUE(Holds("ann", "active"));
  EXPECT_EQ(runtime_->durable_sequence(), last) << "the question logs nothing";
  now_ += kSecond;
  LookForTimers();
  EXPECT_TRUE(answered);
  EXPECT_EQ(runtime_->durable_sequence(), last + 1) << "the tick of the loop";
}

TEST_F(QuestionsTest, AQuestionAboutAllUsersIsAnsweredAtOnceWhenNoTimerIsDue) {
  Start();
  Log("ann", "a");
  bool answered = false;
  runtime_->AskNow(ShardOf("ann"), [&](Shard&, Millis) { answered = true; });
  Settle();
  EXPECT_TRUE(answered);
}

TEST_F(QuestionsTest, ATimerThatAnEventFiresIsWaitedForNoLonger) {
  Start();
  Log("ann", "a");
  now_ += 11 * kMinute;
  bool answered = false;
  runtime_->AskNow(ShardOf("ann"), [&](Shard&, Millis) { answered = true; });
  Settle();
  EXPECT_FALSE(answered);
  Log("ann", "a");
  const uint64_t last = runtime_->durable_sequence();
  LookForTimers();
  EXPECT_TRUE(answered);
  EXPECT_LE(runtime_->durable_sequence(), last + 1);
}

TEST_F(QuestionsTest, NoQuestionWaitsWhileNothingCanBeLogged) {
  FileLogOptions log_options;
  log_options.workers = &workers_;
  log_options.disk = &disk_;
  log_options.reserve_bytes = 64 << 10;
  Start(FileLogIn("data/log", log_options));
  Log("ann", "a");
  now_ += 11 * kMinute;
  bool answered = false;
  runtime_->AskNow(ShardOf("ann"), [&](Shard& owner, Millis) {
    answered = true;
    EXPECT_TRUE(owner.engine().Find("ann")->Holds(*program_->FindSegment("active"))) << "timers wait";
  });
  Settle();
  EXPECT_FALSE(answered);
  disk_.FailAfter(FakeDisk::Op::kWrite, 0, {ErrorCode::kUnavailable, "storage full"});
  LookForTimers();
  EXPECT_TRUE(answered);
  EXPECT_TRUE(runtime_->storage_full());
}

TEST_F(QuestionsTest, AStopAnswersWhatWaits) {
  Start();
  Log("ann", "a");
  now_ += 11 * kMinute;
  bool answered = false;
  runtime_->AskNow(ShardOf("ann"), [&](Shard&, Millis) { answered = true; });
  Settle();
  EXPECT_FALSE(answered);
  runtime_->Close();
  EXPECT_TRUE(answered);
}

}  // namespace
}  // namespace attune
