// The contract of every log. Each test runs on each implementation.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fake_disk/fake_disk.h"
#include "fake_disk/fake_disk_log.h"
#include "memory_log/memory_log.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

constexpr size_t kPendingBytes = 1000;

// A log that can be reopened with its durable records.
class MemoryHome {
 public:
  std::unique_ptr<Log> Open(Workers* workers, LogFollower follower) {
    return MemoryLogWith({.records = records_, .max_pending_bytes = kPendingBytes, .workers = workers})(std::move(follower)).value();
  }

 private:
  std::shared_ptr<MemoryRecords> records_ = std::make_shared<MemoryRecords>();
};

class FileHome {
 public:
  std::unique_ptr<Log> Open(Workers* workers, LogFollower follower) {
    FileLogOptions options;
    options.disk = &disk_;
    options.workers = workers;
    options.reserve_bytes = 4 << 10;
    options.max_file_bytes = 500;  // so that readers read several files
    options.max_pending_bytes = kPendingBytes;
    return FileLogIn("log", options)(std::move(follower)).value();
  }

 private:
  FakeDisk disk_;
};

template <typename Home>
class LogContractTest : public testing::Test {
 protected:
  LogContractTest() { Open(); }

  void Open() {
    log_.reset();
    log_ = home_.Open(&workers_, [this](const DurableBlock& block) {
      in_follower_.push_back(log_ ? log_->durable_sequence() : 0);
      for (const RecordView& record : block->records) followed_.push_back(TextOf(record));
      blocks_.push_back(block);
    });
  }
  static std::string TextOf(const RecordView& record) {
    return std::to_string(record.sequence) + ":" + std::to_string(record.type) + "/" + std::to_string(record.shard) + " " + std::string(record.payload);
  }
  // Appends ticks of shard 7 with these payloads. The results of callbacks are in answers_.
  Status Append(const std::vector<std::string>& payloads) {
    std::vector<LogEntry> entries;
    for (const std::string& payload : payloads) entries.push_back({2, 7, payload});
    const size_t number = answers_.size();
    answers_.push_back(0);
    return log_->Append(entries, [this, number](const Status& status, uint64_t first) {
      EXPECT_TRUE(status.ok());
      EXPECT_EQ(answers_[number], 0u) << "answered twice";
      EXPECT_LE(first, log_->durable_sequence()) << "an answer comes after its sequence";
      answers_[number] = first;
      answered_.push_back(number);
    });
  }
  // Makes the appended records durable.
  void Sync() {
    const uint64_t before = log_->durable_sequence();
    for (const StepWorkers::Mover& worker : workers_.All()) {
      while (workers_.IsBusy(worker.id)) workers_.Step(worker.id);
    }
    EXPECT_GE(log_->durable_sequence(), before);
  }
  // `count` records in groups of 1, 2, 3, 1, 2, 3 …; the payload of each is its sequence in letters x.
  void Fill(uint64_t count) {
    uint64_t next = log_->durable_sequence() + 1;
    for (uint64_t group = 1; next <= count; group = group % 3 + 1) {
      std::vector<std::string> payloads;
      for (uint64_t i = 0; i < group && next <= count; ++i) payloads.push_back(std::string(next++, 'x'));
      ASSERT_TRUE(Append(payloads).ok());
      Sync();
    }
  }
  static std::vector<uint64_t> ReadOn(LogReader* reader) {
    std::vector<uint64_t> found;
    RecordView record;
    while (true) {
      const auto more = reader->Next(&record);
      EXPECT_TRUE(more.ok());
      if (!more.ok() || !*more) return found;
      EXPECT_EQ(record.type, 2);
      EXPECT_EQ(record.shard, 7);
      EXPECT_EQ(record.payload, std::string(record.sequence, 'x'));
      found.push_back(record.sequence);
    }
  }
  std::vector<uint64_t> ReadFrom(uint64_t from, std::optional<uint64_t> last = std::nullopt) {
    auto reader = log_->NewReader(from, last);
    EXPECT_TRUE(reader.ok());
    return ReadOn(reader->get());
  }
  static std::vector<uint64_t> Range(uint64_t from, uint64_t to) {
    std::vector<uint64_t> range;
    for (; from <= to; ++from) range.push_back(from);
    return range;
  }

  StepWorkers workers_;
  Home home_;
  std::vector<std::string> followed_;
  std::vector<DurableBlock> blocks_;
  std::vector<uint64_t> in_follower_;  // the durable sequence at each block
  std::vector<uint64_t> answers_;      // first sequences of the appends
  std::vector<size_t> answered_;       // numbers of appends, in the order of their callbacks
  std::unique_ptr<Log> log_;
};

using Homes = testing::Types<MemoryHome, FileHome>;
TYPED_TEST_SUITE(LogContractTest, Homes);

TYPED_TEST(LogContractTest, AnswersInTheOrderOfAppends) {
  ASSERT_TRUE(this->Append({"a", "b"}).ok());
  ASSERT_TRUE(this->Append({"c"}).ok());
  EXPECT_TRUE(this->answered_.empty()) << "nothing is durable yet";
  EXPECT_EQ(this->log_->durable_sequence(), 0u);
  EXPECT_GT(this->log_->pending_bytes(), 0u);
  this->Sync();
  ASSERT_TRUE(this->Append({"d"}).ok());
  this->Sync();
  EXPECT_EQ(this->answered_, (std::vector<size_t>{0, 1, 2}));
  EXPECT_EQ(this->answers_, (std::vector<uint64_t>{1, 3, 4}));
  EXPECT_EQ(this->log_->durable_sequence(), 4u);
  EXPECT_EQ(this->log_->pending_bytes(), 0u);
  EXPECT_FALSE(this->log_->failed());
  EXPECT_TRUE(this->log_->status().ok());
  EXPECT_FALSE(this->log_->storage_full());
}

TYPED_TEST(LogContractTest, AFollowerSeesEachRecordOnceBeforeItsSequenceIsPublished) {
  const LogEntry entries[] = {{1, 63, "a"}, {9, 0, std::string_view("\0\xff", 2)}, {255, 5, ""}};
  ASSERT_TRUE(this->log_->Append(entries, nullptr).ok());
  this->Sync();
  ASSERT_TRUE(this->Append({"b"}).ok());
  this->Sync();
  EXPECT_EQ(this->followed_, (std::vector<std::string>{"1:1/63 a", std::string("2:9/0 \0\xff", 8), "3:255/5 ", "4:2/7 b"}));
  EXPECT_EQ(this->in_follower_, (std::vector<uint64_t>{0, 3}));
  EXPECT_EQ(this->blocks_[0]->first_sequence(), 1u);
  EXPECT_EQ(this->blocks_[0]->last_sequence(), 3u);
}

TYPED_TEST(LogContractTest, ABlockOutlivesTheLog) {
  ASSERT_TRUE(this->Append({"a"}).ok());
  this->Sync();
  ASSERT_TRUE(this->Append({"b"}).ok());
  this->Sync();
  this->log_.reset();
  EXPECT_EQ(this->blocks_[0]->records[0].payload, "a");
}

TYPED_TEST(LogContractTest, RefusesWhatIsTooMuchAtOnceAndTakesItLater) {
  ASSERT_TRUE(this->Append({std::string(400, 'a')}).ok());
  ASSERT_TRUE(this->Append({std::string(400, 'b')}).ok());
  const size_t pending = this->log_->pending_bytes();
  EXPECT_EQ(this->Append({std::string(400, 'c')}).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(this->log_->pending_bytes(), pending);
  this->Sync();
  ASSERT_TRUE(this->Append({std::string(400, 'd')}).ok());
  this->Sync();
  EXPECT_EQ(this->answers_, (std::vector<uint64_t>{1, 2, 0, 3})) << "a refused append has no answer and no sequence";
}

TYPED_TEST(LogContractTest, RefusesWhatCanNeverBeARecord) {
  const std::string large(kMaxPayloadBytes + 1, 'x'), many(kPendingBytes, 'x');
  const LogEntry bad[] = {{0, 1, "a"}, {1, 1, large}, {1, 1, many}};
  for (const LogEntry& entry : bad) EXPECT_EQ(this->log_->Append({&entry, 1}, nullptr).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(this->log_->Append({}, nullptr).error().code, ErrorCode::kInvalid);
  ASSERT_TRUE(this->Append({"good"}).ok());
  this->Sync();
  EXPECT_EQ(this->answers_, std::vector<uint64_t>{1});
}

TYPED_TEST(LogContractTest, CallbacksMayAppend) {
  const LogEntry entry{2, 7, "a"};
  ASSERT_TRUE(this->log_->Append({&entry, 1}, [this](const Status&, uint64_t) { EXPECT_TRUE(this->Append({"b"}).ok()); }).ok());
  this->Sync();
  EXPECT_EQ(this->answers_, std::vector<uint64_t>{2});
}

TYPED_TEST(LogContractTest, ClosingFinishesWhatIsPendingAndRefusesMore) {
  ASSERT_TRUE(this->Append({"a"}).ok());
  ASSERT_TRUE(this->Append({"b"}).ok());
  this->log_->Close();
  EXPECT_EQ(this->answers_, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(this->Append({"c"}).error().code, ErrorCode::kUnavailable);
  this->log_->Close();
  EXPECT_EQ(this->ReadFrom(3), std::vector<uint64_t>{}) << "a closed log is read all the same";
}

TYPED_TEST(LogContractTest, GoesOnWhereItWasClosed) {
  this->Fill(5);
  this->Open();
  EXPECT_EQ(this->log_->durable_sequence(), 5u);
  this->Fill(8);
  EXPECT_EQ(this->ReadFrom(1), this->Range(1, 8));
}

TYPED_TEST(LogContractTest, IsReadFromAnyPositionToAny) {
  this->Fill(40);
  for (uint64_t from = 1; from <= 42; ++from) {
    EXPECT_EQ(this->ReadFrom(from), this->Range(from, 40));
    for (uint64_t last = 0; last <= 40; ++last) EXPECT_EQ(this->ReadFrom(from, last), this->Range(from, last)) << from << " to " << last;
  }
}

TYPED_TEST(LogContractTest, AnEmptyLogHasNothingToRead) {
  EXPECT_EQ(this->ReadFrom(1), std::vector<uint64_t>{});
  EXPECT_EQ(this->ReadFrom(1, 0), std::vector<uint64_t>{});
  const uint64_t one = 1;
  EXPECT_FALSE((*this->log_->Read({&one, 1}))[0]);
}

TYPED_TEST(LogContractTest, BlocksHaveWhatSingleRecordsHave) {
  this->Fill(20);
  auto reader = this->log_->NewReader(3, 17).value();
  uint64_t next = 3;
  while (const DurableBlock block = reader->NextBlock().value()) {
    ASSERT_FALSE(block->records.empty());
    EXPECT_EQ(block->first_sequence(), next);
    for (const RecordView& record : block->records) EXPECT_EQ(record.payload, std::string(next++, 'x'));
  }
  EXPECT_EQ(next, 18u);
}

// Two readers progress independently. Neither reads beyond what was durable when its end was set.
TYPED_TEST(LogContractTest, ReadersFollowBesideAppends) {
  this->Fill(4);
  auto near = this->log_->NewReader(1).value(), far = this->log_->NewReader(3).value();
  EXPECT_EQ(this->ReadOn(near.get()), this->Range(1, 4));
  for (uint64_t last = 6; last <= 36; last += 6) {
    this->Fill(last);
    ASSERT_TRUE(this->Append({std::string(last + 1, 'x')}).ok());  // pending
    EXPECT_TRUE(this->ReadOn(near.get()).empty());
    near->ReadTo(this->log_->durable_sequence());
    EXPECT_EQ(this->ReadOn(near.get()).back(), last);
    this->Sync();
  }
  far->ReadTo(30);
  EXPECT_EQ(this->ReadOn(far.get()), this->Range(3, 30));
}

TYPED_TEST(LogContractTest, FindsSingleRecords) {
  this->Fill(40);
  const std::vector<uint64_t> asked = {40, 1, 0, 7, 7, 41, 13, 12};
  const auto found = this->log_->Read(asked).value();
  ASSERT_EQ(found.size(), asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    const bool is_there = asked[i] >= 1 && asked[i] <= 40;
    ASSERT_EQ(found[i].has_value(), is_there) << asked[i];
    if (!is_there) continue;
    EXPECT_EQ(found[i]->type, 2);
    EXPECT_EQ(found[i]->shard, 7);
    EXPECT_EQ(found[i]->payload, std::string(asked[i], 'x'));
  }
  this->Fill(44);
  const uint64_t later = 43;
  EXPECT_TRUE(this->log_->Read({&later, 1}).value()[0]) << "a record that came after the first look-up";
}

}  // namespace
}  // namespace attune
