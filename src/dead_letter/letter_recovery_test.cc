// Dead letters across restarts: a start stores those of the log's tail one by one, and the next start reads again what
// the store does not accept.
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "base/bytes.h"
#include "dead_letter/dead_letters.h"
#include "fake_disk/fake_disk_log.h"
#include "fake_store/fake_batch_log.h"
#include "plan/plan.h"
#include "shard/runtime.h"
#include "state/keyspace.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

constexpr char kDir[] = "data";
constexpr int kLetters = 40;  // two of each message id
constexpr uint64_t kLast = kLetters + 1;

class LetterRecoveryTest : public testing::Test {
 protected:
  LetterRecoveryTest() : program_(Program::Compile(ParsePlan("segments: {s: {when: 'count(a) >= 1'}}").plan)) {}

  // `takes`: the number of letters that are stored before others are refused.
  Status Start(int takes = INT32_MAX) {
    calls_ = 0;
    letters_ = std::make_unique<DeadLetters>();
    RuntimeOptions options;
    options.workers = &workers_;
    options.threads = loops_;
    options.clock = [] { return Millis{1'767'225'600'000}; };
    options.steady = [this] { return steady_; };
    FileLogOptions log_options;
    log_options.workers = &workers_;
    log_options.disk = disk_.get();
    log_options.reserve_bytes = 64 << 10;
    options.open_log = FileLogIn("data/log", log_options);
    options.store.batch_log = batches_.get();
    options.on_store = [this](Store* store) {
      store_ = store;
      letters_->SetStore(store);
    };
    options.on_dead_letter = [this, takes](const RecordView& record) {
      if (++calls_ > takes || !letters_->StoreRecord(record)) return false;
      if (on_stored_) on_stored_(record);
      return true;
    };
    auto runtime = Runtime::Open(kDir, program_, std::move(options));
    if (!runtime.ok()) return runtime.error();
    runtime_ = std::move(runtime).value();
    return {};
  }
  void Kill() {
    disk_->Kill();
    batches_->crashed = true;
    runtime_.reset();
    auto rest = std::make_unique<FakeBatchLog>();
    rest->batches = std::move(batches_->batches);
    batches_ = std::move(rest);
  }
  void Stop() { runtime_.reset(); }
  void Empty() {
    disk_ = std::make_unique<FakeDisk>();
    batches_ = std::make_unique<FakeBatchLog>();
    shards_.clear();
  }
  // Runs a step of each worker with this name.
  void Step(const std::string& name) {
    for (const StepWorkers::Mover& worker : workers_.All()) {
      if (worker.name == name) workers_.Step(worker.id);
    }
  }
  void StepSnapshot() {
    steady_ += std::chrono::milliseconds(RuntimeOptions().snapshot_every_ms / kShards + 1);
    Step("attune-shards");
  }

  // Makes letters durable, followed by a tick, without applying them.
  void Log() {
    std::vector<NewRecord> entries;
    std::vector<std::string> payloads;
    ByteWriter tick;
    tick.I64(0);
    for (int i = 0; i < kLetters; ++i) {
      DeadLetter letter;
      letter.source = "/v1/batch[3]";
      letter.errors.push_back({Reason::kInvalidProperty, "properties.price", "expected number"});
      letter.message_id = "m" + std::to_string(i % (kLetters / 2));
      letter.event = "{}";
      letter.event_is_json = true;
      payloads.push_back(DeadLetterRecord(letter, i));
      shards_.push_back(ShardOfDeadLetter(letter));
    }
    for (size_t i = 0; i < kLetters; ++i) entries.push_back({RecordType::kDeadLetter, shards_[i], payloads[i]});
    entries.push_back({RecordType::kTick, 0, tick.view()});
    ASSERT_TRUE(runtime_->Append(entries, nullptr).ok());
    Step("attune-log");
    ASSERT_EQ(runtime_->durable_sequence(), kLast);
  }
  // The number of repeats of each letter, by its first record.
  std::map<uint64_t, uint64_t> Kept() const {
    std::map<uint64_t, uint64_t> kept;
    EXPECT_TRUE(store_->ForEach(keys::kDeadLetters, [&](std::string_view name, std::string_view json) {
      kept[*SequenceOfLetter(name)] = KeptLetter(name, json).repeats;
      return true;
    }).ok());
    return kept;
  }
  static std::map<uint64_t, uint64_t> All() {
    std::map<uint64_t, uint64_t> all;
    for (uint64_t sequence = 1; sequence <= kLetters / 2; ++sequence) all[sequence] = 1;
    return all;
  }
  // Checks that no snapshot in the store includes a letter's record without the letter being in the store.
  void CheckOrder() const {
    const auto kept = Kept();
    for (uint64_t sequence = 1; sequence <= kLetters; ++sequence) {
      const auto snapshot = Shard::SnapshotOf(*store_, shards_[sequence - 1]);
      ASSERT_TRUE(snapshot.ok());
      if (!*snapshot || (*snapshot)->position < sequence) continue;
      const bool again = sequence > kLetters / 2;
      const auto letter = kept.find(again ? sequence - kLetters / 2 : sequence);
      EXPECT_TRUE(letter != kept.end() && letter->second >= again) << sequence;
    }
  }

  const std::shared_ptr<const Program> program_;
  int loops_ = 1;
  StepWorkers workers_;
  std::chrono::steady_clock::time_point steady_{std::chrono::hours(1)};
  std::unique_ptr<FakeDisk> disk_ = std::make_unique<FakeDisk>();
  std::unique_ptr<FakeBatchLog> batches_ = std::make_unique<FakeBatchLog>();
  std::unique_ptr<DeadLetters> letters_;
  std::unique_ptr<Runtime> runtime_;
  Store* store_ = nullptr;  // of the runtime
  std::function<void(const RecordView&)> on_stored_;
  std::vector<uint8_t> shards_;  // of each letter
  int calls_ = 0;
};

TEST_F(LetterRecoveryTest, AStartStoresEachLetterWhenItReadsIt) {
  ASSERT_TRUE(Start().ok());
  Log();
  Kill();
  uint64_t stored = 0;
  on_stored_ = [&](const RecordView& record) {
    EXPECT_EQ(record.sequence, ++stored);
    EXPECT_EQ(Kept().size(), std::min<uint64_t>(stored, kLetters / 2));
  };
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(stored, uint64_t{kLetters});
  EXPECT_EQ(Kept(), All());
  EXPECT_EQ(letters_->letters(), uint64_t{kLetters / 2});
}

TEST_F(LetterRecoveryTest, ARefusedLetterEndsTheStartAndIsReadAgainByTheNext) {
  ASSERT_TRUE(Start().ok());
  Log();
  Kill();
  for (const int takes : {0, 1, 15, 30, kLetters - 1}) {
    const Status started = Start(takes);
    ASSERT_FALSE(started.ok()) << takes;
    EXPECT_EQ(started.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(started.error().message.find("dead letters"), std::string::npos) << started.error().message;
    EXPECT_EQ(calls_, takes + 1);  // nothing is stored after a letter that was refused
    Kill();
  }
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Kept(), All());
  EXPECT_EQ(runtime_->recovered_records(), kLast);
}

// The store's disk is full at its n-th write of a start, and later has room again.
TEST_F(LetterRecoveryTest, AFullStoreLosesNoLetter) {
  for (const int loops : {1, 3}) {
    int ended = 0, went_on = 0;
    for (int n = 0; n < 70; ++n) {
      Empty();
      loops_ = loops;
      ASSERT_TRUE(Start().ok());
      Log();
      Kill();
      batches_->fail_after = n;
      if (Start().ok()) {
        ++went_on;
        Stop();  // writes last snapshots
      } else {
        ++ended;
        Kill();
      }
      batches_->fail_after = -1;
      ASSERT_TRUE(Start().ok());
      EXPECT_EQ(Kept(), All()) << "write " << n << ", " << loops << " loops";
      Kill();
    }
    EXPECT_GE(ended, kLetters);
    EXPECT_GT(went_on, 0);
  }
}

// While the server runs, with a store that refuses some writes, and a kill or an orderly stop at each step.
TEST_F(LetterRecoveryTest, NoSnapshotIncludesALetterThatIsNotStored) {
  uint64_t snapshots = 0;
  for (int steps = 0; steps < 120; steps += 7) {
    Empty();
    ASSERT_TRUE(Start().ok());
    Log();
    Step("attune-shards");
    for (int i = 0; i < 2 * kShards; ++i) StepSnapshot();
    for (int i = 0; i < steps; ++i) {
      if (i % 5 == 3) batches_->fail_after = 0;
      Step("attune-store");
      if (i % 10 == 0) CheckOrder();
      StepSnapshot();
    }
    CheckOrder();
    snapshots += runtime_->stats().snapshots;
    batches_->fail_after = steps % 2 == 0 ? 0 : -1;
    if (steps % 4 < 2) {
      Stop();
    } else {
      Kill();
    }
    batches_->fail_after = -1;
    ASSERT_TRUE(Start().ok());
    EXPECT_EQ(Kept(), All()) << steps;
    CheckOrder();
    Kill();
  }
  EXPECT_GT(snapshots, 0u);
}

}  // namespace
}  // namespace attune
