// The number of entries in the timer queues, summed over the loops.
#include <gtest/gtest.h>

#include <chrono>

#include "fake_store/fake_batch_log.h"
#include "memory_log/memory_log.h"
#include "plan/plan.h"
#include "shard/runtime.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

constexpr Millis kNewYear = 1'767'225'600'000;  // 2026-01-01
constexpr int kUsers = 100;

class TimerCountTest : public testing::Test {
 protected:
  TimerCountTest() : program_(Program::Compile(ParsePlan("segments: {silent: {when: 'a then no b for 30d'}}").plan)) {
    RuntimeOptions options;
    options.workers = &workers_;
    options.threads = 3;
    options.clock = [this] { return now_; };
    options.steady = [this] { return steady_; };
    options.open_log = MemoryLogWith({.workers = &workers_});
    options.store.batch_log = &batches_;
    auto runtime = Runtime::Open("data", program_, std::move(options));
    EXPECT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }

  void Log(const std::string& user, const std::string& name) {
    const std::string id = std::to_string(++events_);
    EventHead head;
    head.id = id;
    head.user = user;
    head.name = name;
    head.time = head.received = now_;
    const EventRecord event(head, R"({"event":")" + name + R"("})");
    const NewRecord record = NewRecord::Event(event);
    ASSERT_TRUE(runtime_->Append({&record, 1}, nullptr).ok());
  }
  // Applies everything that is pending, and makes the loops check the timers that are due.
  uint64_t Count() {
    Settle();
    steady_ += std::chrono::milliseconds(RuntimeOptions().tick_every_ms);
    for (const StepWorkers::Mover& worker : workers_.All()) workers_.Step(worker.id);
    Settle();
    return runtime_->stats().timers;
  }
  void Settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const StepWorkers::Mover& worker : workers_.All()) moved |= workers_.IsBusy(worker.id) && workers_.Step(worker.id);
    }
    ASSERT_TRUE(runtime_->idle());
  }

  const std::shared_ptr<const Program> program_;
  StepWorkers workers_;
  Millis now_ = kNewYear;
  std::chrono::steady_clock::time_point steady_{std::chrono::hours(1)};
  FakeBatchLog batches_;
  std::unique_ptr<Runtime> runtime_;
  int events_ = 0;
};

TEST_F(TimerCountTest, IsOfEachUserWithATimer) {
  EXPECT_EQ(Count(), 0u);
  for (int i = 0; i < kUsers; ++i) Log("user " + std::to_string(i), "a");
  for (int i = 0; i < kUsers; ++i) Log("other " + std::to_string(i), "b");
  EXPECT_EQ(Count(), uint64_t{kUsers});
  now_ += 10 * kDay;
  Log("user 0", "a");  // its entry stays, and moves when it is reached
  Log("late", "a");
  EXPECT_EQ(Count(), kUsers + 1u);
  now_ += 25 * kDay;
  (void)Count();  // fires them
  EXPECT_EQ(Count(), 2u);
  now_ += 10 * kDay;
  (void)Count();
  EXPECT_EQ(Count(), 0u);
}

}  // namespace
}  // namespace attune
