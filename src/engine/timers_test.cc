// The timer queue: its number of entries, and that every timer fires whatever entries it drops.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "engine/engine.h"
#include "plan/plan.h"

namespace attune {
namespace {

constexpr Millis kNewYear = 1'767'225'600'000;  // 2026-01-01

// An event of an idle user moves its timer from 30 days ahead, at a different instant each time, to a minute ahead.
constexpr const char* kPlan = R"(
segments:
  busy: {when: "count(a[1m]) >= 1"}
  steady: {when: "count(a[30d]) >= 2"}
  silent: {when: "a then no b for 30d"}
)";

using Change = std::tuple<Millis, std::string, ConditionId, bool>;

class Users {
 public:
  Users() {
    LoadedPlan loaded = ParsePlan(kPlan);
    EXPECT_NE(loaded.plan, nullptr) << (loaded.problems.empty() ? "" : ToText(loaded.problems[0]));
    program_ = Program::Compile(std::move(loaded.plan));
    reader_ = std::make_unique<RecordReader>(program_);
    engine = std::make_unique<Engine>(program_);
  }

  void Add(const std::string& user, const std::string& name, Millis at) {
    const std::string id = std::to_string(++events_);
    EventHead head;
    head.id = id;
    head.user = user;
    head.name = name;
    head.time = head.received = kNewYear + at;
    std::string bytes;
    EncodeEvent(head, R"({"event":")" + name + R"("})", &bytes);
    engine->Apply(*reader_->Read(bytes), &effects_);
  }
  void Advance(Millis to) { engine->Advance(kNewYear + to, &effects_); }
  // The same without the queue: reads every user.
  void AdvanceEach(Millis to) {
    for (UserState& user : engine->users()) {
      if (!user.ended) engine->AdvanceUser(&user, kNewYear + to, &effects_);
    }
  }
  void End(const std::string& user, Millis at) {
    if (UserState* state = engine->Find(user)) engine->End(state, kNewYear + at, &effects_);
  }
  // Changes since the last call, in an order that does not depend on the queue.
  std::vector<Change> TakeChanges() {
    std::vector<Change> changes;
    for (const Transition& change : effects_.transitions) {
      changes.emplace_back(change.at, std::string(change.user->id()), change.segment, change.enter);
    }
    effects_.transitions.clear();
    std::sort(changes.begin(), changes.end());
    return changes;
  }
  size_t armed() const {
    size_t armed = 0;
    for (const UserState& user : engine->users()) armed += user.armed != kNever;
    return armed;
  }

  std::unique_ptr<Engine> engine;

 private:
  std::shared_ptr<const Program> program_;
  std::unique_ptr<RecordReader> reader_;
  Effects effects_;
  int events_ = 0;
};

constexpr size_t kFew = 64;  // stale entries that are never dropped early

TEST(Timers, AUserWhoseTimerMovesToAndFroLeavesFewEntries) {
  Users users;
  size_t most = 0, changes = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Millis at = i * 2 * kMinute;
    users.Advance(at);
    users.Add("ann", "a", at);
    changes += users.TakeChanges().size();
    most = std::max(most, users.engine->timer_entries());
  }
  EXPECT_LE(most, 2 + kFew);
  // busy: enters at each event, and leaves before the next. steady: enters at the second event and stays.
  EXPECT_EQ(changes, 10'000u + 9'999 + 1);
  users.Advance(2 * 9'999 * kMinute + 31 * kDay);
  EXPECT_EQ(users.TakeChanges().size(), 3u);  // leaves busy and steady, and enters silent
  EXPECT_EQ(users.engine->timer_entries(), 0u);
  EXPECT_EQ(users.engine->NextDue(), kNever);
}

TEST(Timers, UsersWhoHaveEndedLeaveFewEntries) {
  Users users;
  for (int i = 0; i < 10'000; ++i) {
    const std::string user = "user " + std::to_string(i);
    users.Add(user, "a", i);
    if (i % 100 != 0) users.End(user, i);
  }
  EXPECT_EQ(users.armed(), 100u);
  EXPECT_LE(users.engine->timer_entries(), 2u * 100 + kFew);
  for (int i = 0; i < 10'000; i += 100) users.End("user " + std::to_string(i), 10'000);
  EXPECT_LE(users.engine->timer_entries(), kFew);
}

// Compares with the same users without the queue, at every step.
TEST(Timers, DropsNothingThatIsDue) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Users queued, looked;
    Millis now = 0;
    for (int step = 0; step < 3'000; ++step) {
      now += static_cast<Millis>(random() % (random() % 50 == 0 ? 20 * kDay : kMinute));
      const std::string user = "user " + std::to_string(random() % 20);
      const std::string name = random() % 3 == 0 ? "b" : "a";
      const bool ends = random() % 40 == 0;
      queued.Advance(now);
      looked.AdvanceEach(now);
      for (Users* users : {&queued, &looked}) {
        if (ends) {
          users->End(user, now);
        } else {
          users->Add(user, name, now);
        }
      }
      ASSERT_EQ(queued.TakeChanges(), looked.TakeChanges()) << "step " << step;
      ASSERT_LE(queued.engine->timer_entries(), 2 * queued.armed() + kFew) << "step " << step;
      for (const UserState& known : queued.engine->users()) {
        ASSERT_LE(queued.engine->NextDue(), known.ended ? kNever : known.next_due) << "step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace attune
