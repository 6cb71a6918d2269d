#include "log/file/file_lookup.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <numeric>
#include <random>

#include "fake_disk/fake_disk.h"
#include "log/file/file_log.h"
#include "log/file/log_file.h"
#include "log/file/log_folder.h"

namespace attune {
namespace {

constexpr char kLookupDir[] = "log";
constexpr uint64_t kRecords = 4000;

// Sizes up to more than a block of the lookup; larger ones are rare.
std::string LookupPayload(uint64_t sequence) {
  std::mt19937_64 random(sequence);
  const size_t size = random() % 50 == 0 ? random() % 100'000 : random() % 300;
  std::string payload = std::to_string(sequence) + ':';
  while (payload.size() < size) payload += static_cast<char>(random());
  return payload;
}

// A log of kRecords records in groups of 1 to 20, in several files.
class FileLookupTest : public testing::Test {
 protected:
  FileLookupTest() {
    FileLogOptions options;
    options.disk = &disk_;
    options.max_file_bytes = 2 << 20;
    options.reserve_bytes = 256 << 10;
    noted_ = *FileLog::Open(kLookupDir, options);
    std::mt19937_64 random(1);
    for (uint64_t next = 1; next <= kRecords;) {
      std::vector<std::string> payloads;
      for (uint64_t left = std::min(1 + random() % 20, kRecords + 1 - next); left > 0; --left) {
        payloads.push_back(LookupPayload(next++));
      }
      std::vector<LogEntry> entries;
      for (const std::string& payload : payloads) entries.push_back({3, 9, payload});
      std::promise<void> done;
      EXPECT_TRUE(noted_->Append(entries, [&](const Status&, uint64_t) { done.set_value(); }).ok());
      done.get_future().wait();
    }
    noted_->Close();
    files_ = *ListLogFiles(disk_, kLookupDir);
  }

  std::string PathOf(uint64_t sequence) const {
    return LogFilePath(kLookupDir, *(std::upper_bound(files_.begin(), files_.end(), sequence) - 1));
  }

  // The offset of a record in its file.
  size_t OffsetOf(uint64_t sequence) const {
    const uint64_t first = *(std::upper_bound(files_.begin(), files_.end(), sequence) - 1);
    size_t offset = kFileHeaderBytes;
    for (uint64_t s = first; s < sequence; ++s) offset += kRecordHeaderBytes + LookupPayload(s).size();
    return offset;
  }

  FakeDisk disk_;
  std::unique_ptr<FileLog> noted_;  // has the offset of each block that it wrote
  std::vector<uint64_t> files_;
};

TEST_F(FileLookupTest, FindsEachRecordWhoeverSetTheMarks) {
  ASSERT_GE(files_.size(), 3u);
  LogFolder fresh(kLookupDir, &disk_);
  std::vector<uint64_t> order(kRecords);
  std::iota(order.begin(), order.end(), 1);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(7));
  for (ReadableLog* lookup : {static_cast<ReadableLog*>(noted_.get()), static_cast<ReadableLog*>(&fresh)}) {
    for (size_t i = 0; i < kRecords; i += 10) {
      const auto found = *lookup->Read({order.data() + i, 10});
      for (size_t k = 0; k < 10; ++k) {
        ASSERT_TRUE(found[k]) << order[i + k];
        EXPECT_EQ(found[k]->payload, LookupPayload(order[i + k]));
        EXPECT_EQ(found[k]->type, 3);
        EXPECT_EQ(found[k]->shard, 9);
      }
    }
  }
}

TEST_F(FileLookupTest, ReadsLittleWhereMarksAre) {
  const uint64_t late = files_[1] - 1;  // the last record of the first file
  const auto reads = [&](ReadableLog* lookup, uint64_t sequence) {
    const int before = disk_.calls(FakeDisk::Op::kRead);
    EXPECT_TRUE((*lookup->Read({&sequence, 1}))[0]);
    return disk_.calls(FakeDisk::Op::kRead) - before;
  };
  EXPECT_LE(reads(noted_.get(), late), 4);
  LogFolder fresh(kLookupDir, &disk_);
  EXPECT_GT(reads(&fresh, late), 20) << "the file is read over once";
  EXPECT_LE(reads(&fresh, late), 4);
  EXPECT_LE(reads(&fresh, late - 200), 4);
}

TEST_F(FileLookupTest, SaysWhatIsNotThere) {
  const uint64_t removed = 5, kept = files_[1];
  ASSERT_TRUE(disk_.Remove(PathOf(removed)).ok());
  const std::vector<uint64_t> asked = {removed, 0, kept, kRecords + 1, removed};
  for (int round = 0; round < 2; ++round) {
    const auto found = *noted_->Read(asked);
    EXPECT_FALSE(found[0]);
    EXPECT_FALSE(found[1]);
    ASSERT_TRUE(found[2]);
    EXPECT_EQ(found[2]->payload, LookupPayload(kept));
    EXPECT_FALSE(found[3]);
    EXPECT_FALSE(found[4]);
  }
}

TEST_F(FileLookupTest, DamageIsAnErrorForWhatLiesBehindItUpToTheNextMark) {
  const uint64_t bad = files_[1] + 3;
  std::string bytes = disk_.Content(PathOf(bad));
  bytes[OffsetOf(bad) + kRecordHeaderBytes] ^= 1;
  disk_.SetContent(PathOf(bad), bytes);
  const std::vector<uint64_t> healthy = {bad - 1, files_[2] - 1, files_[2]};
  const auto found = *noted_->Read(healthy);
  for (size_t i = 0; i < healthy.size(); ++i) {
    ASSERT_TRUE(found[i]);
    EXPECT_EQ(found[i]->payload, LookupPayload(healthy[i]));
  }
  const std::vector<uint64_t> asked = {bad - 1, bad};
  const auto failed = noted_->Read(asked);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(failed.error().message, fmt::format("{}: damage at offset {}; attune verify has details", PathOf(bad), OffsetOf(bad)));
}

TEST_F(FileLookupTest, AFailedReadIsNoMissingRecord) {
  const std::vector<uint64_t> asked = {files_[1], files_[1] + 1};
  disk_.FailAfter(FakeDisk::Op::kRead, 0, Error{ErrorCode::kIo, "no"});
  EXPECT_EQ(noted_->Read(asked).error().code, ErrorCode::kIo);
  EXPECT_TRUE((*noted_->Read(asked))[1]) << "the disk reads again";
}

TEST_F(FileLookupTest, StepsOverAHole) {
  // As after a repair: a record of type 0, with the sequence of the first lost record, replaces the bytes of three
  // records.
  const uint64_t lost = files_[1] + 4, next = lost + 3;
  std::string bytes = disk_.Content(PathOf(lost));
  const size_t from = OffsetOf(lost), to = OffsetOf(next);
  std::string hole;
  const std::string lost_bytes(to - from - kRecordHeaderBytes, 'x');
  AppendRecord({{lost, kHoleType, 0, lost_bytes}, 0}, &hole);
  disk_.SetContent(PathOf(lost), bytes.replace(from, hole.size(), hole));
  const std::vector<uint64_t> asked = {lost - 1, lost, lost + 1, lost + 2, next};
  const auto found = *noted_->Read(asked);
  ASSERT_TRUE(found[0]);
  for (size_t i = 1; i < 4; ++i) EXPECT_FALSE(found[i]);
  ASSERT_TRUE(found[4]);
  EXPECT_EQ(found[4]->payload, LookupPayload(next));
}

}  // namespace
}  // namespace attune
