// What a check of a store finds, and that it finds nothing where a runtime left it alone.
#include "shard/state_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/bytes.h"
#include "effects/stored_effects.h"
#include "fake_disk/fake_disk_log.h"
#include "plan/plan.h"
#include "shard/runtime.h"
#include "state/keyspace.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr Millis kBegin = 1'767'225'600'000;  // 2026-01-01

class StateCheckTest : public testing::Test {
 protected:
  StateCheckTest()
      : dir_(fs::path(testing::TempDir()) / ("attune_state_check_" + std::to_string(getpid()) + "_" +
                                             testing::UnitTest::GetInstance()->current_test_info()->name())),
        program_(Program::Compile(ParsePlan("segments: {bought: {when: 'count(buy) >= 1'}, often: {when: 'count(buy) >= 2'}}").plan)) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    Open();
  }
  ~StateCheckTest() override {
    runtime_.reset();
    fs::remove_all(dir_);
  }

  void Open(std::shared_ptr<const Program> program = nullptr) {
    if (program) program_ = std::move(program);
    RuntimeOptions options;
    options.workers = &workers_;
    options.clock = [] { return kBegin + kDay; };
    options.steady = [] { return std::chrono::steady_clock::time_point(std::chrono::hours(1)); };  // nothing gets due
    FileLogOptions log_options;
    log_options.workers = &workers_;
    options.open_log = FileLogIn(log_dir(), log_options);
    auto runtime = Runtime::Open(dir_.string(), program_, std::move(options));
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
    runtime_ = std::move(runtime).value();
  }
  std::string log_dir() const { return (dir_ / "log").string(); }
  void Buy(const std::string& user) { Log(EventKind::kTrack, user, "", "buy"); }
  void BuyAnonymously(const std::string& id) { Log(EventKind::kTrack, id, id, "buy"); }
  void Identify(const std::string& anonymous_id, const std::string& user) { Log(EventKind::kIdentify, user, anonymous_id, ""); }
  // Ids that begin with a letter do not collide with those that are given otherwise.
  void Log(EventKind kind, const std::string& user, const std::string& anonymous_id, const std::string& name, std::string id = "") {
    ++events_;
    if (id.empty()) id = std::to_string(events_);
    EventHead head;
    head.kind = kind;
    head.id = id;
    head.user = user;
    head.anonymous_id = anonymous_id;
    head.name = name;
    head.time = head.received = kBegin + events_ * kSecond;
    std::string json = "{\"event\":\"" + name + "\"";
    if (kind == EventKind::kIdentify) json += ",\"userId\":\"" + user + "\"";
    const EventRecord event(head, json + '}');
    const NewRecord record = NewRecord::Event(event);
    ASSERT_TRUE(runtime_->Append({&record, 1}, nullptr).ok());
  }
  void Apply() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const StepWorkers::Mover& worker : workers_.All()) moved |= workers_.IsBusy(worker.id) && workers_.Step(worker.id);
    }
    ASSERT_TRUE(runtime_->idle());
  }

  // Stops the runtime, with last snapshots, and lets `tamper` change what the store holds.
  // With `disk`, the log is copied there first.
  StateReport Check(const std::function<void(WriteBatch*)>& tamper = nullptr, FakeDisk* disk = nullptr) {
    Apply();
    StateCheckOptions options;
    LogFolder log(log_dir(), disk ? disk : &RealDisk());
    options.log = &log;
    options.last_sequence = runtime_->durable_sequence();
    runtime_.reset();
    auto store = Store::Open((dir_ / "state").string());
    EXPECT_TRUE(store.ok());
    if (tamper) {
      opened_ = store->get();
      WriteBatch batch;
      tamper(&batch);
      EXPECT_TRUE((*store)->Write(batch).ok());
    }
    if (disk) {
      EXPECT_TRUE(disk->MakeDir(log_dir()).ok());
      for (const auto& file : fs::directory_iterator(log_dir())) {
        std::ifstream in(file.path(), std::ios::binary);
        EXPECT_TRUE(disk->Open(file.path(), Disk::Mode::kCreate).ok());
        disk->SetContent(file.path(), std::string(std::istreambuf_iterator<char>(in), {}));
      }
    }
    StateReport report;
    const Status status = CheckState(**store, program_, options, &report);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return report;
  }

  const fs::path dir_;
  // Stops the runtime, with last snapshots, and starts one under the plan.
  void Restart(std::shared_ptr<const Program> program = nullptr) {
    Apply();
    runtime_.reset();
    Open(std::move(program));
  }

  std::shared_ptr<const Program> program_;
  StepWorkers workers_;
  std::unique_ptr<Runtime> runtime_;
  const Store* opened_ = nullptr;  // while a store is tampered with
  int events_ = 0;
};

TEST_F(StateCheckTest, AStoreWithMergesIsWhatItsLogGives) {
  for (int i = 0; i < 20; ++i) {
    BuyAnonymously("visitor " + std::to_string(i));
    Identify("visitor " + std::to_string(i), "ann " + std::to_string(i / 2));
  }
  const StateReport report = Check();
  EXPECT_EQ(report.damages, 0u) << report.found.front();
  EXPECT_EQ(report.users, 10u);
  EXPECT_EQ(report.memberships, 20u);
  EXPECT_EQ(report.index_entries, 40u);
  EXPECT_EQ(report.other_effects, 0u);
  EXPECT_EQ(report.last_position, 40u);
  // A visitor enters, and leaves when it becomes another; the person enters bought at the first and often at the second.
  EXPECT_EQ(report.effects, 20u * 2 + 10 * 2);
}

// Many ids become one person: what is read of the log grows with the merges, not with their square.
TEST_F(StateCheckTest, ReadsBackInProportionToTheMerges) {
  const auto read = [this](int merges) {
    runtime_.reset();
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    Open();
    for (int i = 0; i < merges; ++i) {
      BuyAnonymously("visitor " + std::to_string(i));
      Identify("visitor " + std::to_string(i), "ann");
      if (i % 500 == 499) Apply();
    }
    FakeDisk disk;
    const StateReport report = Check(nullptr, &disk);
    EXPECT_EQ(report.damages, 0u) << report.found.front();
    EXPECT_EQ(report.users, 1u);
    EXPECT_EQ(report.index_entries, 2u * static_cast<uint64_t>(merges));
    return disk.bytes_read();
  };
  const uint64_t few = read(500), many = read(2'000);
  EXPECT_LE(many, 5 * few) << few;
}

TEST_F(StateCheckTest, AMergeThatTheStoreForgotIsFound) {
  BuyAnonymously("visitor");
  Identify("visitor", "ann");
  const StateReport report = Check([&](WriteBatch* batch) { batch->Delete(keys::kLinks, keys::LinkName(2, program_->plan->fingerprint)); });
  ASSERT_EQ(report.damages, 1u);
  EXPECT_EQ(report.found.front(), "the log merges \"visitor\" into \"ann\", the store does not");
}

// --- other plans ---

std::shared_ptr<const Program> WithDedupe(const char* span) {
  return Program::Compile(ParsePlan(std::string("segments: {bought: {when: 'count(buy) >= 1'}}\ndedupe: ") + span).plan);
}

// Under the second plan an earlier record has made the visitor known, which under the first one was a duplicate.
TEST_F(StateCheckTest, WhatMergedUnderAnotherPlanIsForgotten) {
  Restart(WithDedupe("1d"));
  Log(EventKind::kTrack, "visitor", "visitor", "buy", "x");
  Log(EventKind::kIdentify, "visitor", "", "", "x");
  Log(EventKind::kTrack, "bob", "", "buy", "y");
  Log(EventKind::kIdentify, "bob", "visitor", "", "y");
  Identify("visitor", "ann");
  Apply();
  EXPECT_EQ(runtime_->PersonOf("visitor"), "ann");
  const auto shorter = WithDedupe("100ms");
  for (int start = 0; start < 3; ++start) {
    Restart(shorter);
    EXPECT_EQ(runtime_->PersonOf("visitor"), "visitor") << start;
  }
  EXPECT_EQ(Check().damages, 0u);
}

// Under the second plan the visitor is ann before the first event comes, under the first one never.
TEST_F(StateCheckTest, UsersWhomOnlyAnotherPlanHasAreForgotten) {
  Restart(WithDedupe("1d"));
  Log(EventKind::kTrack, "ann", "", "buy", "x");
  Log(EventKind::kIdentify, "ann", "visitor", "", "x");
  BuyAnonymously("visitor");
  Apply();
  EXPECT_EQ(runtime_->plan_state()->user_count(), 2u);
  const auto shorter = WithDedupe("100ms");
  for (int start = 0; start < 3; ++start) {
    Restart(shorter);
    EXPECT_EQ(runtime_->plan_state()->user_count(), 1u) << start;
  }
  EXPECT_EQ(Check().damages, 0u);
}

// As version 4 wrote it: links that name no plan. `behind`: the shard whose users it is has no snapshot of this plan.
class LinksOfVersion4 : public StateCheckTest, public testing::WithParamInterface<const char*> {};

TEST_P(LinksOfVersion4, AreTakenOver) {
  BuyAnonymously("visitor");
  Identify("visitor", "ann");
  Check([&](WriteBatch* batch) {
    ByteWriter link;
    link.Bool(false);
    link.String("visitor");
    link.String("ann");
    batch->Delete(keys::kLinks, keys::LinkName(2, program_->plan->fingerprint));
    batch->Put(keys::kLinks, keys::Ordered(2), link.view());
    if (*GetParam() == '\0') return;
    ByteWriter meta;
    meta.U8(2);
    meta.U64(0);
    meta.U64(0);
    batch->PutShard(ShardOf(GetParam()), meta.view());
  });
  Open();
  for (int start = 0; start < 3; ++start) {
    EXPECT_EQ(runtime_->PersonOf("visitor"), "ann") << start;
    EXPECT_EQ(runtime_->plan_state()->user_count(), 1u) << start;
    Restart();
  }
  EXPECT_EQ(Check().damages, 0u);
}
INSTANTIATE_TEST_SUITE_P(Behind, LinksOfVersion4, testing::Values("", "visitor", "ann"));

TEST_F(StateCheckTest, AUserWhoIsMissingIsFound) {
  Buy("ann");
  Buy("ben");
  const StateReport report = Check([](WriteBatch* batch) { batch->DeleteUser(ShardOf("ben"), "ben"); });
  ASSERT_EQ(report.damages, 1u);
  EXPECT_NE(report.found.front().find("the user \"ben\" is missing"), std::string::npos) << report.found.front();
}

TEST_F(StateCheckTest, CountsTheEffectsThatTheLogGivesOtherwise) {
  constexpr int kUsers = 5'000;
  for (int i = 0; i < kUsers; ++i) {
    Buy("user " + std::to_string(i));
    if (i % 500 == 499) Apply();
  }
  for (int i = 0; i < kUsers; ++i) {
    Buy("user " + std::to_string(i));
    if (i % 500 == 499) Apply();
  }
  StateReport report = Check([&](WriteBatch* batch) {
    const auto page = ReadStoredEffects(*opened_, {}, After(UINT64_MAX), SIZE_MAX);
    ASSERT_TRUE(page.ok());
    std::map<EffectId, PublishedEffect> effects;
    for (const PublishedEffect& effect : page->effects) effects[effect.id] = effect;
    effects.erase({1, 0});
    effects.erase({2 * kUsers, 0});
    for (const EffectId id : {EffectId{17, 0}, EffectId{4'096, 1}, EffectId{9'000, 7}}) {  // another one; and two of no effect of the log
      effects[id] = {id, EffectKind::kEnter, false, kBegin, "bought", "nobody", ""};
    }
    batch->DeleteBelow(keys::kOutbox, std::string(1, '\xff'));
    EffectGroupWriter writer;
    const auto put = [&](const EffectGroup& group) { batch->Put(keys::kOutbox, EffectKey(group.first()), group.bytes()); };
    for (const auto& [id, effect] : effects) {
      if (!writer.MayAdd(id)) put(writer.Take());
      writer.Add(effect);
    }
    put(writer.Take());
  });
  EXPECT_EQ(report.damages, 0u);
  EXPECT_EQ(report.effects, 2u * kUsers - 2 + 2);
  EXPECT_EQ(report.other_effects, 5u);
  EXPECT_EQ(report.users, uint64_t{kUsers});
  Open();
  report = Check([&](WriteBatch* batch) {
    batch->DeleteBelow(keys::kOutbox, std::string(1, '\xff'));
    batch->DeleteBelow(keys::kOutboxMarks, std::string(1, '\xff'));
  });
  EXPECT_EQ(report.effects, 0u);
  EXPECT_EQ(report.other_effects, 2u * kUsers);
}

}  // namespace
}  // namespace attune
