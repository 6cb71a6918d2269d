#include "effects/outbox.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "state/keyspace.h"

namespace attune {
namespace {

constexpr Millis kStart = 1'772'359'200'000;  // 2026-03-01T10:00:00Z
constexpr size_t kPage = 1 << 20;

std::shared_ptr<const Program> MakeProgram() {
  auto loaded = ParsePlan(R"yaml(
segments:
  buyer: {when: count(purchase) >= 1}
triggers:
  thanks: {on: purchase, send: [mail]}
)yaml");
  EXPECT_TRUE(loaded.plan);
  return Program::Compile(std::move(loaded.plan));
}

// An outbox over a store, as in the runtime, whose writes wait until the test releases them.
class OutboxTest : public testing::Test {
 protected:
  OutboxTest() : dir_(testing::TempDir() + "/outbox"), program_(MakeProgram()) {
    std::filesystem::remove_all(dir_);
    const auto& conditions = program_->conditions;
    for (ConditionId c = 0; c < conditions.size(); ++c) {
      (conditions[c].segment ? segment_ : trigger_) = c;
    }
  }
  ~OutboxTest() override { std::filesystem::remove_all(dir_); }

  void Open(uint64_t last = 0, size_t lanes = 1, OutboxOptions options = {}) {
    Recover(lanes, options);
    for (int shard = 0; shard < kShards; ++shard) outbox_->SetSnapshot(static_cast<uint8_t>(shard), last);
    ASSERT_TRUE(outbox_->BeginRecovery(last).ok());
    EndRecovery();
  }
  void Recover(size_t lanes = 1, OutboxOptions options = {}) {
    outbox_.reset();
    writes_.clear();
    store_.reset();
    store_ = *Store::Open(dir_);
    outbox_ = std::make_unique<Outbox>(store_.get(), lanes, options);
    ASSERT_TRUE(outbox_->Restore().ok());
  }
  void EndRecovery() {
    const auto write = [this](WriteBatch batch, std::function<void(bool)> then) {
      writes_.emplace_back(std::move(batch), std::move(then));
      if (!hold_writes_) WriteAll();
    };
    ASSERT_TRUE(outbox_->EndRecovery(write).ok());
  }
  void WriteAll() {
    auto writes = std::exchange(writes_, {});
    for (auto& [batch, then] : writes) {
      ASSERT_TRUE(store_->Write(batch).ok());
      then(true);
    }
  }

  UserState& User(const std::string& id) {
    auto& user = users_[id];
    if (!user) user = std::make_unique<UserState>(id, 0, *program_);
    return *user;
  }
  Transition Enters(const std::string& user, Millis at = kStart) { return {at, &User(user), segment_, true, false}; }
  TriggerFiring Fires(const std::string& user, Millis at = kStart) { return {at, &User(user), trigger_, "f", "{}", ""}; }
  void Add(size_t lane, uint64_t sequence, const std::string& user, uint8_t shard = 0) {
    Effects effects;
    effects.transitions.push_back(Enters(user));
    outbox_->Add(lane, shard, sequence, effects, *program_);
  }
  void AddMany(uint64_t from, uint64_t to) {
    for (uint64_t sequence = from; sequence <= to; ++sequence) Add(0, sequence, "u" + std::to_string(sequence));
    outbox_->Passed(0, to);
  }

  // `1-0:ann 2-0:bob`, all after the cursor, page by page.
  std::string From(EffectId cursor, size_t bytes = kPage) {
    std::string text;
    while (true) {
      const auto page = outbox_->Read(cursor, bytes);
      EXPECT_TRUE(page.ok());
      if (page->gone()) return text + "gone";
      for (const PublishedEffect& effect : page->effects) {
        EXPECT_GT(effect.id, cursor);
        text += (text.empty() ? "" : " ") + ToText(effect.id) + ':' + std::string(effect.user);
      }
      EXPECT_GE(page->next, cursor);
      cursor = page->next;
      if (!page->more) return text;
    }
  }
  std::string Numbers(uint64_t from, uint64_t to) {
    std::string text;
    for (uint64_t n = from; n <= to; ++n) text += fmt::format("{}{}-0:u{}", text.empty() ? "" : " ", n, n);
    return text;
  }

  std::string dir_;
  std::shared_ptr<const Program> program_;
  ConditionId segment_ = 0, trigger_ = 0;
  std::map<std::string, std::unique_ptr<UserState>> users_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Outbox> outbox_;
  std::vector<std::pair<WriteBatch, std::function<void(bool)>>> writes_;
  bool hold_writes_ = false;
};

TEST(EffectId, TextAndBack) {
  EXPECT_EQ(ToText(EffectId{17, 3}), "17-3");
  EXPECT_EQ(ToText(After(17)), "17");
  for (const char* text : {"0", "0-0", "17", "17-3", "18446744073709551615-4294967294"}) {
    EXPECT_EQ(ToText(*ParseEffectId(text)), text);
  }
  for (const char* text : {"", "-", "17-", "-3", "x", "17-3-4", " 17", "17 ", "+17", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(ParseEffectId(text)) << text;
  }
  EXPECT_LT((EffectId{17, 3}), After(17));
  EXPECT_LT(After(17), (EffectId{18, 0}));
}

TEST(EffectId, KeysSortAsIdsDo) {
  const EffectId ids[] = {{0, 0}, {0, 1}, {1, 0}, {255, 255}, {256, 0}, After(256), {1ULL << 40, 7}};
  for (size_t i = 0; i < std::size(ids); ++i) {
    EXPECT_EQ(EffectOfKey(EffectKey(ids[i])), ids[i]);
    if (i > 0) {
      EXPECT_LT(EffectKey(ids[i - 1]), EffectKey(ids[i]));
    }
  }
  EXPECT_FALSE(EffectOfKey("short"));
}

TEST_F(OutboxTest, AnEffectHasItsLine) {
  Effects effects;
  effects.transitions = {Enters("ann, \"a\"")};
  effects.firings = {Fires("ann, \"a\"")};
  std::vector<std::string> lines;
  ForEachEffect(17, effects, *program_, 5, [&](const PublishedEffect& effect) {
    EXPECT_EQ(effect.id, (EffectId{17, static_cast<uint32_t>(5 + lines.size())}));
    EXPECT_EQ(effect.kind, lines.empty() ? EffectKind::kEnter : EffectKind::kFiring);
    EXPECT_EQ(effect.name, lines.empty() ? "buyer" : "thanks");
    EXPECT_EQ(effect.user, "ann, \"a\"");
    lines.push_back(effect.Json());
  });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0],
            R"({"at":"2026-03-01T10:00:00.000Z","user":"ann, \"a\"","segment":"buyer","change":"enter","corrected":false})");
  EXPECT_EQ(
      lines[1],
      R"({"at":"2026-03-01T10:00:00.000Z","trigger":"thanks","user":"ann, \"a\"","key":null,"id":"f","values":{}})");
}

// An engine's timers fire in another order after a restart; ids must not change.
TEST_F(OutboxTest, TheOrderOfUsersDoesNotDependOnTheEngine) {
  Effects one, other;
  one.transitions = {Enters("bob", 5), Enters("ann", 5), Enters("eve", 4)};
  one.firings = {Fires("ann", 5), Fires("eve", 6), Fires("bob", 5)};
  other.transitions = {Enters("eve", 4), Enters("ann", 5), Enters("bob", 5)};
  other.firings = {Fires("bob", 5), Fires("ann", 5), Fires("eve", 6)};
  const auto order = [&](const Effects& effects) {
    std::string text;
    ForEachEffect(9, effects, *program_, 0, [&](const PublishedEffect& effect) {
      text += ToText(effect.id) + ':' + std::string(effect.user) + ':' + std::string(effect.name) + ' ';
    });
    return text;
  };
  EXPECT_EQ(order(one), "9-0:eve:buyer 9-1:ann:buyer 9-2:ann:thanks 9-3:bob:buyer 9-4:bob:thanks 9-5:eve:thanks ");
  EXPECT_EQ(order(other), order(one));
}

TEST_F(OutboxTest, WhatEveryLaneHasPassedIsPublishedInOrder) {
  Open(0, 3);
  int heard = 0;
  const auto listening = outbox_->Listen([&] { ++heard; });
  Add(0, 3, "c");
  Add(0, 5, "e");
  outbox_->Passed(0, 6);
  Add(2, 1, "a");
  outbox_->Passed(2, 4);
  EXPECT_EQ(From({}), "");
  EXPECT_EQ(outbox_->position(), 0u);
  Add(1, 2, "b");
  outbox_->Passed(1, 2);
  EXPECT_EQ(From(After(0)), "1-0:a 2-0:b");
  EXPECT_EQ(From({}), "1-0:a 2-0:b");
  EXPECT_EQ(outbox_->position(), 2u);
  EXPECT_EQ(heard, 1);
  bool passed = false;
  outbox_->WhenPassed(4, [&] { passed = true; });
  Add(1, 6, "f");
  outbox_->Passed(1, 6);
  EXPECT_TRUE(passed);
  EXPECT_EQ(From({1, 0}), "2-0:b 3-0:c");
  Add(2, 7, "g");
  outbox_->Passed(2, 7);
  EXPECT_EQ(From({3, 0}), "5-0:e 6-0:f");
  for (size_t lane : {0, 1}) outbox_->Passed(lane, 7);
  EXPECT_EQ(From(After(5)), "6-0:f 7-0:g");
  EXPECT_EQ(outbox_->Read(After(0), kPage)->next, After(7));
  passed = false;
  outbox_->WhenPassed(7, [&] { passed = true; });
  EXPECT_TRUE(passed);
}

TEST_F(OutboxTest, AReaderGoesFromTheStoreToMemoryWithoutAGapOrARepeat) {
  Open(0, 1, {.memory_bytes = 3000});
  AddMany(1, 1);
  for (uint64_t n = 2; n <= 100; ++n) AddMany(n, n);
  EXPECT_EQ(From(After(0)), Numbers(1, 100));
  EXPECT_EQ(From(After(0), 1), Numbers(1, 100));
  EXPECT_EQ(From(After(0), 1000), Numbers(1, 100));
  for (uint64_t n = 1; n <= 100; ++n) {
    EXPECT_EQ(From({n, 0}), Numbers(n + 1, 100));
    EXPECT_EQ(From(After(n), 700), Numbers(n + 1, 100));
  }
}

TEST_F(OutboxTest, MemoryHoldsWhatTheStoreHasNotGotYet) {
  Open(0, 1, {.memory_bytes = 3000});
  hold_writes_ = true;
  for (uint64_t n = 1; n <= 30; ++n) AddMany(n, n);
  EXPECT_EQ(From(After(0)), Numbers(1, 30));
  // Enough that memory evicts unwritten effects: readers then wait for the store and miss nothing.
  for (uint64_t n = 31; n <= 200; ++n) AddMany(n, n);
  EXPECT_EQ(From(After(0)), "");
  EXPECT_EQ(From(After(199)), Numbers(200, 200));
  EXPECT_GT(outbox_->unwritten_bytes(), 0u);
  hold_writes_ = false;
  WriteAll();
  outbox_->Flush(0);
  EXPECT_EQ(From(After(0)), Numbers(1, 200));
  EXPECT_EQ(outbox_->unwritten_bytes(), 0u);
}

TEST_F(OutboxTest, NewestFirst) {
  Open(0, 1, {.memory_bytes = 1000});
  for (uint64_t n = 1; n <= 20; ++n) AddMany(n, n);
  uint64_t expected = 20;
  ASSERT_TRUE(outbox_
                  ->ForEachBackwards([&](const PublishedEffect& effect) {
                    EXPECT_EQ(effect.id.sequence, expected--);
                    return expected > 2;
                  })
                  .ok());
  EXPECT_EQ(expected, 2u);
}

TEST_F(OutboxTest, ARestartGoesOnWhereItWas) {
  Open();
  AddMany(1, 10);
  EXPECT_EQ(outbox_->effects(), 10u);
  // The snapshot is at record 4; the store has the effects up to 10; the log's tail produces them again, and three
  // more.
  Recover();
  outbox_->SetSnapshot(0, 4);
  ASSERT_TRUE(outbox_->BeginRecovery(13).ok());
  for (uint64_t n = 5; n <= 13; ++n) Add(0, n, "u" + std::to_string(n));
  EndRecovery();
  EXPECT_EQ(outbox_->position(), 13u);
  EXPECT_EQ(outbox_->effects(), 13u);
  EXPECT_EQ(From(After(0)), Numbers(1, 13));
  AddMany(14, 15);
  EXPECT_EQ(From({12, 0}), Numbers(13, 15));
  EXPECT_EQ(From(After(0)), Numbers(1, 15));
}

TEST_F(OutboxTest, WhatWasLostInTheCrashComesAgain) {
  Open();
  AddMany(1, 4);
  hold_writes_ = true;
  AddMany(5, 8);  // published, but never written
  EXPECT_EQ(From(After(4)), Numbers(5, 8));
  Recover();
  outbox_->SetSnapshot(0, 4);
  ASSERT_TRUE(outbox_->BeginRecovery(9).ok());
  for (uint64_t n = 5; n <= 9; ++n) Add(0, n, "u" + std::to_string(n));
  hold_writes_ = false;
  EndRecovery();
  EXPECT_EQ(From({6, 0}), Numbers(7, 9));
  EXPECT_EQ(From(After(0)), Numbers(1, 9));
}

// An un-merge has effects of two people, who may be in one shard.
TEST_F(OutboxTest, OfARecordThatComesInTwoPartsBothComeAgain) {
  Open();
  AddMany(1, 4);
  const auto add = [&](const std::string& user, uint32_t first, bool last) {
    Effects effects;
    effects.transitions.push_back(Enters(user));
    outbox_->Add(0, 0, 5, effects, *program_, first, last);
  };
  add("ann", 0, false);
  outbox_->Flush(0);
  hold_writes_ = true;  // stopped between the two parts
  add("bob", 100, true);
  Recover();
  outbox_->SetSnapshot(0, 4);
  ASSERT_TRUE(outbox_->BeginRecovery(5).ok());
  add("ann", 0, false);
  add("bob", 100, true);
  hold_writes_ = false;
  EndRecovery();
  EXPECT_EQ(From(After(4)), "5-0:ann 5-100:bob");
}

// Another plan builds its state from the first record on: published effects stay, and none is published again.
TEST_F(OutboxTest, AnotherPlanChangesNothingThatWasSaid) {
  Open();
  AddMany(1, 6);
  Recover();
  outbox_->SetSnapshot(0, 4);
  outbox_->SetSnapshot(1, 5);
  ASSERT_TRUE(outbox_->BeginRecovery(9).ok());
  for (uint64_t n = 1; n <= 8; ++n) Add(0, n, "other");
  Add(0, 5, "other", 1);
  Add(0, 9, "other", 1);
  EndRecovery();
  EXPECT_EQ(From(After(0)), Numbers(1, 6) + " 7-0:other 8-0:other 9-0:other");
}

TEST_F(OutboxTest, AStoreWithoutAnOutboxBeginsOneAtItsSnapshots) {
  Recover();
  outbox_->SetSnapshot(0, 20);
  outbox_->SetSnapshot(7, 40);
  ASSERT_TRUE(outbox_->BeginRecovery(50).ok());
  Add(0, 30, "early", 0);
  Add(0, 45, "ann", 7);
  EndRecovery();
  EXPECT_EQ(ToText(outbox_->floor()), "40");
  EXPECT_EQ(From({39, 0}), "gone");
  EXPECT_EQ(From(After(40)), "45-0:ann");
}

TEST_F(OutboxTest, AsManyAreKeptAsTheOptionsSay) {
  Open(0, 1, {.max_effects = 128, .memory_bytes = 2000});
  for (uint64_t n = 1; n <= 500; ++n) {
    AddMany(n, n);
    WriteBatch batch;
    outbox_->Trim(kStart, &batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  EXPECT_GE(outbox_->effects(), 128u);
  EXPECT_LE(outbox_->effects(), 132u);
  const EffectId floor = outbox_->floor();
  EXPECT_EQ(floor.sequence, 500 - outbox_->effects());
  EXPECT_EQ(From({floor.sequence - 1, 0}), "gone");
  EXPECT_EQ(From(floor), Numbers(floor.sequence + 1, 500));
  // The store keeps no more than the groups that may have an effect after the floor.
  const auto stored = ReadStoredEffects(*store_, {}, After(500), SIZE_MAX);
  ASSERT_TRUE(stored.ok());
  EXPECT_LE(stored->effects.size(), outbox_->effects() + EffectGroup::kMaxSpan);
  // The same holds after a restart.
  const uint64_t kept = outbox_->effects();
  Open(500, 1, {.max_effects = 128});
  EXPECT_EQ(outbox_->effects(), kept);
  EXPECT_EQ(outbox_->floor(), floor);
  EXPECT_EQ(From(floor), Numbers(floor.sequence + 1, 500));
}

TEST_F(OutboxTest, OldOnesGo) {
  Open(0, 1, {.max_age = 64 * kHour});
  const auto trim = [&](Millis now) {
    WriteBatch batch;
    outbox_->Trim(now, &batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  };
  AddMany(1, 3);
  trim(kStart);
  AddMany(4, 5);
  trim(kStart + kHour);  // the five are marked
  AddMany(6, 6);
  trim(kStart + 2 * kHour);
  trim(kStart + 65 * kHour - 1);
  EXPECT_EQ(From(After(0)), Numbers(1, 6));
  trim(kStart + 65 * kHour);
  EXPECT_EQ(From(After(0)), "gone");
  EXPECT_EQ(From({5, 0}), Numbers(6, 6));
  EXPECT_EQ(outbox_->effects(), 1u);
}

// A log that is replayed from its beginning, because the store is lost, does not fill the disk.
TEST_F(OutboxTest, ALongRecoveryTellsTheNewestRecordsAlone) {
  Recover(1, {.max_effects = 10});
  ASSERT_TRUE(outbox_->BeginRecovery(1000).ok());
  for (uint64_t n = 1; n <= 1000; ++n) Add(0, n, "u" + std::to_string(n));
  EndRecovery();
  EXPECT_EQ(From(After(989)), "gone");
  EXPECT_EQ(From(After(990)), Numbers(991, 1000));
  EXPECT_EQ(outbox_->effects(), 10u);
}

TEST_F(OutboxTest, ALaneThatLagsHoldsBackTheOthers) {
  Open(0, 2, {.memory_bytes = 3000});
  for (uint64_t n = 1; n <= 5'000; ++n) {
    Add(0, n, "u" + std::to_string(n));
    if (n % 10 == 0) outbox_->Passed(0, n);
  }
  outbox_->Passed(1, 4'321);  // within a group of the other lane
  EXPECT_EQ(From(After(0)), Numbers(1, 4'321));
  EXPECT_EQ(From(After(4'300), 1), Numbers(4'301, 4'321));
  EXPECT_EQ(outbox_->effects(), 4'321u);
  outbox_->Passed(1, 5'000);
  EXPECT_EQ(From(After(0)), Numbers(1, 5'000));
  EXPECT_EQ(outbox_->effects(), 5'000u);
}

TEST_F(OutboxTest, AnOutboxThatIsNotEnabledKeepsNothing) {
  Open(0, 1, {.enabled = false});
  bool passed = false;
  outbox_->WhenPassed(10, [&] { passed = true; });
  AddMany(1, 10);
  EXPECT_TRUE(passed);
  EXPECT_EQ(outbox_->position(), 10u);
  EXPECT_EQ(From(After(0)), "");
}

// --- consumers ---

class ConsumerTest : public OutboxTest {
 protected:
  void Trim(Millis now = kStart) {
    WriteBatch batch;
    outbox_->Trim(now, &batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  // Reads as a consumer does: from its position on; then acknowledges.
  std::string Consume(const std::string& name, size_t bytes = kPage) {
    EffectId cursor = outbox_->PositionOf(name);
    const auto page = outbox_->Read(cursor, bytes);
    EXPECT_TRUE(page.ok());
    std::string text = page->gone() ? "gone up to " + ToText(page->gone_up_to) : "";
    for (const PublishedEffect& effect : page->effects) text += (text.empty() ? "" : " ") + ToText(effect.id) + ':' + std::string(effect.user);
    outbox_->Acknowledge(name, page->next);
    return text;
  }
  std::string MetricsText() {
    Metrics metrics;
    outbox_->AddMetrics(&metrics);
    return metrics.Text();
  }
};

TEST_F(ConsumerTest, APositionOutlivesARestart) {
  Open();
  AddMany(1, 3);
  ASSERT_TRUE(outbox_->AddConsumer("mail").ok());
  AddMany(4, 6);
  EXPECT_EQ(Consume("mail"), Numbers(4, 6));
  AddMany(7, 9);
  outbox_->Acknowledge("mail", {8, 0});
  Trim();
  outbox_->Acknowledge("mail", {9, 0});  // not written before the crash
  Open(9);
  ASSERT_TRUE(outbox_->AddConsumer("mail").ok());  // it is known already
  EXPECT_EQ(Consume("mail"), Numbers(9, 9));
  AddMany(10, 11);
  EXPECT_EQ(Consume("mail"), Numbers(10, 11));
}

TEST_F(ConsumerTest, AConsumerMissesNothingFromItsFirstMomentOn) {
  Open();
  AddMany(1, 3);
  ASSERT_TRUE(outbox_->AddConsumer("mail").ok());
  AddMany(4, 6);  // and a crash, before any position was written
  Open(6);
  ASSERT_TRUE(outbox_->AddConsumer("mail").ok());
  EXPECT_EQ(Consume("mail"), Numbers(4, 6));
}

TEST_F(ConsumerTest, APositionNeverFallsNorPassesWhatIsPublished) {
  Open();
  ASSERT_TRUE(outbox_->AddConsumer("mail").ok());
  AddMany(1, 6);
  outbox_->Acknowledge("mail", {5, 0});
  outbox_->Acknowledge("mail", {2, 0});
  EXPECT_EQ(outbox_->PositionOf("mail"), (EffectId{5, 0}));
  outbox_->Acknowledge("mail", {99, 0});
  AddMany(7, 8);
  EXPECT_EQ(Consume("mail"), Numbers(7, 8));
  outbox_->Acknowledge("nobody", {3, 0});
}

TEST_F(ConsumerTest, ManyConsumersEachHaveEverything) {
  Open(0, 1, {.memory_bytes = 2000});
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(outbox_->AddConsumer(name).ok());
  std::map<std::string, std::string> heard;
  for (uint64_t n = 1; n <= 300; ++n) {
    AddMany(n, n);
    for (const char* name : {"a", "b", "c"}) {
      if (n % (name[0] - 'a' + 1) * 17 != 0) continue;
      if (const std::string text = Consume(name, 100); !text.empty()) heard[name] += (heard[name].empty() ? "" : " ") + text;
    }
  }
  for (const char* name : {"a", "b", "c"}) {
    for (std::string text = Consume(name); !text.empty(); text = Consume(name)) heard[name] += (heard[name].empty() ? "" : " ") + text;
    EXPECT_EQ(heard[name], Numbers(1, 300));
  }
}

// The limit is 128 effects; a consumer that lags holds up to four times as many.
TEST_F(ConsumerTest, AConsumerThatStallsPastTheLimitHasAGapAndTheOthersGoOn) {
  Open(0, 1, {.max_effects = 128, .held = 4, .memory_bytes = 2000});
  ASSERT_TRUE(outbox_->AddConsumer("quick").ok());
  ASSERT_TRUE(outbox_->AddConsumer("stalled").ok());
  std::string quick;
  for (uint64_t n = 1; n <= 500; ++n) {
    AddMany(n, n);
    quick += (quick.empty() ? "" : " ") + Consume("quick");
    Trim();
  }
  EXPECT_EQ(quick, Numbers(1, 500));
  EXPECT_EQ(outbox_->floor().sequence, 0u) << "all of it is kept for the one that stalled";
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_records_behind{consumer=\"stalled\"} 500"), std::string::npos) << MetricsText();
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_gaps_total{consumer=\"stalled\"} 0"), std::string::npos);
  for (uint64_t n = 501; n <= 1'000; ++n) {
    AddMany(n, n);
    quick += ' ' + Consume("quick");
    Trim();
  }
  EXPECT_EQ(quick, Numbers(1, 1'000));
  const EffectId floor = outbox_->floor();
  EXPECT_GE(1'000 - floor.sequence, 4 * 128u);
  EXPECT_LE(1'000 - floor.sequence, 4 * 128u + 8);
  const std::string lost = std::to_string(floor.sequence);
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_gaps_total{consumer=\"stalled\"} 1"), std::string::npos) << MetricsText();
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_lost_total{consumer=\"stalled\"} " + lost), std::string::npos) << MetricsText();
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_lost_total{consumer=\"quick\"} 0"), std::string::npos);
  // It learns of the gap, after a restart too, and goes on behind it.
  Open(1'000, 1, {.max_effects = 128, .held = 4});
  EXPECT_EQ(Consume("stalled"), "gone up to " + ToText(floor));
  EXPECT_EQ(Consume("stalled"), Numbers(floor.sequence + 1, 1'000));
  Trim();
  EXPECT_NE(MetricsText().find("attune_outbox_consumer_gaps_total{consumer=\"stalled\"} 1"), std::string::npos);
  AddMany(1'001, 1'002);
  Trim();
  EXPECT_GE(outbox_->floor().sequence, 1'000 - 128 - 8u) << "nothing is held for it any more";
}

TEST_F(ConsumerTest, AConsumerThatIsRemovedHoldsNothing) {
  Open(0, 1, {.max_effects = 128});
  ASSERT_TRUE(outbox_->AddConsumer("gone").ok());
  for (uint64_t n = 1; n <= 300; ++n) AddMany(n, n), Trim();
  EXPECT_EQ(outbox_->floor().sequence, 0u);
  outbox_->RemoveConsumer("gone");
  Trim();
  EXPECT_GE(outbox_->floor().sequence, 300 - 128 - 8u);
  Open(300);
  AddMany(301, 301);
  ASSERT_TRUE(outbox_->AddConsumer("gone").ok());  // it begins as a new one
  AddMany(302, 302);
  EXPECT_EQ(Consume("gone"), Numbers(302, 302));
}

}  // namespace
}  // namespace attune
