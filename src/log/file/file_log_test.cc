#include "log/file/file_log.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "fake_disk/fake_disk.h"
#include "log/file/file_reader.h"
#include "log/file/log_file.h"
#include "log/file/record.h"
#include "log/file/verify.h"

namespace attune {
namespace {

constexpr char kLogDir[] = "data/log";

FileLogOptions On(FakeDisk& disk) {
  FileLogOptions options;
  options.disk = &disk;
  options.reserve_bytes = 64 << 10;
  return options;
}

std::unique_ptr<FileLog> MustOpen(FileLogOptions options) {
  auto log = FileLog::Open(kLogDir, std::move(options));
  EXPECT_TRUE(log.ok()) << log.error().message;
  return std::move(*log);
}

struct Answer {
  Status status;
  uint64_t first_sequence = 0;
};

std::future<Answer> AppendAsync(Log& log, std::vector<std::string> payloads) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::vector<LogEntry> entries;
  for (const std::string& payload : payloads) entries.push_back({1, 7, payload});
  const Status status = log.Append(entries, [promise](const Status& result, uint64_t first) {
    promise->set_value({result, first});
  });
  if (!status.ok()) promise->set_value({status, 0});
  return promise->get_future();
}

Answer AppendAndWait(Log& log, std::vector<std::string> payloads) {
  return AppendAsync(log, std::move(payloads)).get();
}

std::vector<std::string> ReadAll(Disk& disk, uint64_t from = 1) {
  std::vector<std::string> payloads;
  auto reader = FileReader::Open(kLogDir, from, {.disk = &disk});
  EXPECT_TRUE(reader.ok()) << reader.error().message;
  RecordView record;
  uint64_t sequence = from;
  while (true) {
    auto more = reader->Next(&record);
    EXPECT_TRUE(more.ok()) << more.error().message;
    if (!more.ok() || !*more) return payloads;
    EXPECT_EQ(record.sequence, sequence++);
    payloads.emplace_back(record.payload);
  }
}

TEST(FileLog, SequencesRiseByOneFromOne) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  EXPECT_EQ(AppendAndWait(*log, {"a", "b"}).first_sequence, 1u);
  EXPECT_EQ(AppendAndWait(*log, {"c"}).first_sequence, 3u);
  EXPECT_EQ(log->durable_sequence(), 3u);
  log.reset();
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 3u);
  EXPECT_EQ(log->recovery().torn_bytes, 0u);
  EXPECT_EQ(AppendAndWait(*log, {""}).first_sequence, 4u);
  EXPECT_EQ(ReadAll(disk), (std::vector<std::string>{"a", "b", "c", ""}));
}

TEST(FileLog, ARecordKeepsItsTypeAndShard) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  std::promise<void> done;
  const LogEntry entry{9, 63, "payload"};
  ASSERT_TRUE(log->Append({&entry, 1}, [&](const Status&, uint64_t) { done.set_value(); }).ok());
  done.get_future().wait();
  auto reader = FileReader::Open(kLogDir, 1, {.disk = &disk});
  RecordView record;
  ASSERT_TRUE(*reader->Next(&record));
  EXPECT_EQ(record.type, 9);
  EXPECT_EQ(record.shard, 63);
  EXPECT_EQ(record.payload, "payload");
}

TEST(FileLog, WhatWasAnsweredSurvivesAPowerCut) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(AppendAndWait(*log, {std::to_string(i)}).status.ok());
  disk.Crash();
  log.reset();
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 20u);
  EXPECT_EQ(ReadAll(disk).size(), 20u);
}

TEST(FileLog, WhatWasNotSyncedIsGoneAndNothingElse) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  ASSERT_TRUE(AppendAndWait(*log, {"a", "b", "c"}).status.ok());
  disk.HoldSyncs();
  auto waiting = AppendAsync(*log, {"d", "e"});
  disk.AwaitHeldSync();
  disk.Crash();
  disk.ReleaseSyncs();
  EXPECT_EQ(waiting.get().status.error().code, ErrorCode::kIo);
  log.reset();
  log = MustOpen(On(disk));
  EXPECT_EQ(ReadAll(disk), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(AppendAndWait(*log, {"f"}).first_sequence, 4u);
}

TEST(FileLog, TheSinkSeesEveryRecordInOrderBeforeItsAnswer) {
  FakeDisk disk;
  std::vector<std::string> seen;
  uint64_t seen_sequence = 0;
  std::vector<DurableBlock> kept;
  FileLogOptions options = On(disk);
  options.on_durable = [&](const DurableBlock& block) {
    EXPECT_EQ(block->first_sequence(), seen_sequence + 1);
    for (const RecordView& record : block->records) {
      EXPECT_EQ(record.sequence, ++seen_sequence);
      seen.emplace_back(record.payload);
    }
    EXPECT_EQ(block->last_sequence(), seen_sequence);
    kept.push_back(block);
  };
  auto log = MustOpen(options);
  for (int i = 1; i <= 10; ++i) {
    const Answer answer = AppendAndWait(*log, {std::to_string(i)});
    EXPECT_EQ(seen_sequence, answer.first_sequence);
  }
  log.reset();
  EXPECT_EQ(seen.size(), 10u);
  // Blocks that are still referenced keep their content, even after the log is destroyed.
  EXPECT_EQ(kept.front()->records.front().payload, "1");
}

// A published sequence implies that the follower has its block; a callback implies that the sequence is published.
TEST(FileLog, ASequenceIsPublishedBetweenTheSinkAndTheAnswer) {
  FakeDisk disk;
  std::unique_ptr<FileLog> log;
  FileLogOptions options = On(disk);
  std::vector<uint64_t> in_sink, in_answer;
  options.on_durable = [&](const DurableBlock&) { in_sink.push_back(log->durable_sequence()); };
  log = MustOpen(options);
  for (int i = 0; i < 3; ++i) {
    std::promise<void> answered;
    const LogEntry entries[] = {{1, 1, "a"}, {1, 1, "b"}};
    ASSERT_TRUE(log->Append(entries, [&](const Status&, uint64_t) {
                     in_answer.push_back(log->durable_sequence());
                     answered.set_value();
                   }).ok());
    answered.get_future().wait();
  }
  log->Close();
  EXPECT_EQ(in_sink, (std::vector<uint64_t>{0, 2, 4}));
  EXPECT_EQ(in_answer, (std::vector<uint64_t>{2, 4, 6}));
}

TEST(FileLog, OneSyncServesEverybodyWhoWaits) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  disk.HoldSyncs();
  auto first = AppendAsync(*log, {"first"});
  disk.AwaitHeldSync();
  const int before = disk.calls(FakeDisk::Op::kSync);
  std::vector<std::future<Answer>> others;
  for (int i = 0; i < 50; ++i) others.push_back(AppendAsync(*log, {"x"}));
  disk.ReleaseSyncs();
  EXPECT_TRUE(first.get().status.ok());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(others[i].get().first_sequence, 2u + i);
  EXPECT_EQ(disk.calls(FakeDisk::Op::kSync), before + 2);
}

TEST(FileLog, TakesNoMoreThanASlowDiskWritesInTheTimeToWait) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  std::chrono::steady_clock::time_point now;
  std::chrono::milliseconds each(1000);
  options.steady = [&] { return now += each; };  // each group takes a second
  auto log = MustOpen(options);
  const std::string half(512 << 10, 'x');
  ASSERT_TRUE(AppendAndWait(*log, {half}).status.ok());
  const auto fill = [&] {
    disk.HoldSyncs();
    const LogEntry entry{1, 0, half};
    std::vector<std::promise<void>> taken;
    taken.reserve(1000);
    Status status;
    while (status.ok()) {
      std::promise<void>& durable = taken.emplace_back();
      status = log->Append({&entry, 1}, [&durable](const Status&, uint64_t) { durable.set_value(); });
    }
    taken.pop_back();
    disk.ReleaseSyncs();
    for (std::promise<void>& durable : taken) durable.get_future().wait();
    return taken.size();
  };
  EXPECT_EQ(fill(), 5u);  // 512 KiB a second, for 5 seconds
  ASSERT_TRUE(AppendAndWait(*log, {std::string(256 << 10, 'y')}).status.ok());
  each = std::chrono::milliseconds(0);  // the disk has recovered
  ASSERT_TRUE(AppendAndWait(*log, {half}).status.ok());
  EXPECT_GT(fill(), 100u);
}

TEST(FileLog, RefusesAtOnceWhenTooMuchIsPending) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  options.max_pending_bytes = 1000;
  auto log = MustOpen(options);
  disk.HoldSyncs();
  auto first = AppendAsync(*log, {std::string(400, 'a')});
  auto second = AppendAsync(*log, {std::string(400, 'b')});
  const Answer refused = AppendAndWait(*log, {std::string(400, 'c')});
  EXPECT_EQ(refused.status.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(log->pending_bytes(), 840u);
  disk.ReleaseSyncs();
  EXPECT_EQ(first.get().first_sequence, 1u);
  EXPECT_EQ(second.get().first_sequence, 2u);
  EXPECT_EQ(AppendAndWait(*log, {"d"}).first_sequence, 3u);
}

TEST(FileLog, RefusesWhatCanNeverBeARecord) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  const std::string large(kMaxPayloadBytes + 1, 'x');
  const LogEntry bad[] = {{0, 1, "hole"}, {1, 1, large}};
  for (const LogEntry& entry : bad) {
    EXPECT_EQ(log->Append({&entry, 1}, {}).error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(log->Append({}, {}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(AppendAndWait(*log, {"good"}).first_sequence, 1u);
}

TEST(FileLog, FilesRotateAndAreReadAsOne) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  options.max_file_bytes = 500;
  auto log = MustOpen(options);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(AppendAndWait(*log, {std::string(100, 'a' + i % 26)}).status.ok());
  }
  EXPECT_EQ(disk.Paths().size(), 10u);
  EXPECT_EQ(disk.Paths()[1], LogFilePath(kLogDir, 4));
  EXPECT_EQ(ReadAll(disk).size(), 30u);
  EXPECT_EQ(ReadAll(disk, 17).size(), 14u);
  disk.Crash();
  log.reset();
  log = MustOpen(options);
  EXPECT_EQ(log->recovery().files, 10u);
  EXPECT_EQ(AppendAndWait(*log, {"next"}).first_sequence, 31u);
  log.reset();
  LogReport report;
  EXPECT_TRUE(VerifyLog(disk, kLogDir, &report).ok());
  EXPECT_EQ(report.records, 31u);
  EXPECT_EQ(report.files, 10u);
}

TEST(FileLog, OldFilesGoWhenNoRecordOfThemIsNeeded) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  options.max_file_bytes = 500;
  auto log = MustOpen(options);
  for (int i = 0; i < 30; ++i) (void)AppendAndWait(*log, {std::string(100, 'x')});
  ASSERT_TRUE(log->RemoveBefore(15).ok());  // the file of 13, 14, 15 stays
  EXPECT_EQ(disk.Paths().front(), LogFilePath(kLogDir, 13));
  ASSERT_TRUE(log->RemoveBefore(1000).ok());
  EXPECT_EQ(disk.Paths(), std::vector<std::string>{LogFilePath(kLogDir, 28)});
  log.reset();
  log = MustOpen(options);
  EXPECT_EQ(log->recovery().first_sequence, 28u);
  EXPECT_EQ(log->recovery().last_sequence, 30u);
  EXPECT_EQ(FileReader::Open(kLogDir, 27, {.disk = &disk}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ReadAll(disk, 28).size(), 3u);
}

TEST(FileLog, AFullDiskIsReportedAndAppendsResumeWithoutAGap) {
  for (const bool at_write : {false, true}) {
    FakeDisk disk;
    auto log = MustOpen(On(disk));
    ASSERT_TRUE(AppendAndWait(*log, {"a"}).status.ok());
    if (at_write) {
      disk.FailAfter(FakeDisk::Op::kWrite, 0, {ErrorCode::kUnavailable, "storage full"}, 10);
    } else {
      disk.SetCapacity(100 << 10);
    }
    const Answer full = AppendAndWait(*log, {std::string(100 << 10, 'b')});
    ASSERT_FALSE(full.status.ok());
    EXPECT_EQ(full.status.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(full.status.error().message.find("storage full"), std::string::npos);
    EXPECT_TRUE(log->storage_full());
    EXPECT_FALSE(log->failed());
    disk.SetCapacity(UINT64_MAX);
    EXPECT_EQ(AppendAndWait(*log, {"c"}).first_sequence, 2u);
    EXPECT_FALSE(log->storage_full());
    disk.Crash();
    log.reset();
    log = MustOpen(On(disk));
    EXPECT_EQ(ReadAll(disk), (std::vector<std::string>{"a", "c"}));
  }
}

TEST(FileLog, WhatWasAppendedBehindAFullDiskFailsToo) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  disk.HoldSyncs();
  auto first = AppendAsync(*log, {"a"});
  disk.AwaitHeldSync();
  disk.FailAfter(FakeDisk::Op::kWrite, 0, {ErrorCode::kUnavailable, "storage full"}, 30);
  auto second = AppendAsync(*log, {"b"});
  auto third = AppendAsync(*log, {"c"});
  disk.ReleaseSyncs();
  EXPECT_TRUE(first.get().status.ok());
  EXPECT_FALSE(second.get().status.ok());
  EXPECT_FALSE(third.get().status.ok());
  EXPECT_EQ(AppendAndWait(*log, {"d"}).first_sequence, 2u);
  EXPECT_EQ(ReadAll(disk), (std::vector<std::string>{"a", "d"}));
}

TEST(FileLog, AFullDiskWhileRotatingIsNoFailure) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  options.max_file_bytes = 300;
  auto log = MustOpen(options);
  ASSERT_TRUE(AppendAndWait(*log, {std::string(200, 'a')}).status.ok());
  disk.FailAfter(FakeDisk::Op::kWrite, 0, {ErrorCode::kUnavailable, "storage full"}, 13);
  EXPECT_EQ(AppendAndWait(*log, {std::string(200, 'b')}).status.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(AppendAndWait(*log, {std::string(200, 'c')}).first_sequence, 2u);
  EXPECT_EQ(disk.Paths().size(), 2u);
  EXPECT_EQ(ReadAll(disk).size(), 2u);
}

TEST(FileLog, AfterAFailedSyncNothingIsAcceptedAndNothingIsRetried) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  ASSERT_TRUE(AppendAndWait(*log, {"a"}).status.ok());
  disk.FailAfter(FakeDisk::Op::kSync, 0, {ErrorCode::kIo, "EIO"});
  EXPECT_EQ(AppendAndWait(*log, {"b"}).status.error().code, ErrorCode::kIo);
  const int syncs = disk.calls(FakeDisk::Op::kSync);
  EXPECT_EQ(AppendAndWait(*log, {"c"}).status.error().code, ErrorCode::kIo);
  EXPECT_TRUE(log->failed());
  EXPECT_EQ(log->status().error().code, ErrorCode::kIo);
  EXPECT_EQ(log->durable_sequence(), 1u);
  log.reset();
  EXPECT_EQ(disk.calls(FakeDisk::Op::kSync), syncs);
  disk.Crash();
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 1u);
}

// After a failed sync the kernel may return bytes that it no longer tries to write. What the next Open finds and counts
// must be durable nevertheless.
TEST(FileLog, WhatIsFoundAfterAFailedSyncIsDurableFromThenOn) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  ASSERT_TRUE(AppendAndWait(*log, {"a"}).status.ok());
  disk.FailAfter(FakeDisk::Op::kSync, 0, {ErrorCode::kIo, "EIO"});
  EXPECT_FALSE(AppendAndWait(*log, {"b", std::string(3000000, 'c')}).status.ok());
  log.reset();  // the process ends, the machine keeps running
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 3u);
  disk.Crash();
  log.reset();
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 3u);
}

TEST(FileLog, AFailedWriteIsTheEndToo) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  ASSERT_TRUE(AppendAndWait(*log, {"a"}).status.ok());
  disk.FailAfter(FakeDisk::Op::kWrite, 0, {ErrorCode::kIo, "EIO"}, 25);
  EXPECT_EQ(AppendAndWait(*log, {"bbbbbbbbbbbb"}).status.error().code, ErrorCode::kIo);
  EXPECT_TRUE(log->failed());
  log.reset();
  log = MustOpen(On(disk));
  EXPECT_EQ(log->recovery().last_sequence, 1u);
  EXPECT_EQ(log->recovery().torn_bytes, 25u);
  EXPECT_EQ(AppendAndWait(*log, {"c"}).first_sequence, 2u);
}

TEST(FileLog, CloseFinishesWhatIsPendingAndGivesSpaceBack) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  disk.HoldSyncs();
  auto a = AppendAsync(*log, {"a"});
  disk.AwaitHeldSync();
  auto b = AppendAsync(*log, {"b"});
  disk.ReleaseSyncs();
  log->Close();
  EXPECT_TRUE(a.get().status.ok());
  EXPECT_TRUE(b.get().status.ok());
  EXPECT_EQ(AppendAndWait(*log, {"c"}).status.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(disk.Content(LogFilePath(kLogDir, 1)).size(), kFileHeaderBytes + 2 * 21);
}

TEST(FileLog, CallbacksMayAppend) {
  FakeDisk disk;
  auto log = MustOpen(On(disk));
  std::promise<uint64_t> second;
  const LogEntry entry{1, 1, "x"};
  ASSERT_TRUE(log->Append({&entry, 1},
                          [&](const Status&, uint64_t) {
                            const Status status = log->Append(
                                {&entry, 1}, [&](const Status&, uint64_t first) { second.set_value(first); });
                            EXPECT_TRUE(status.ok());
                          })
                  .ok());
  EXPECT_EQ(second.get_future().get(), 2u);
}

TEST(FileLog, FourThreadsAppendAndEveryRecordIsThereOnce) {
  constexpr int kThreads = 4;
  constexpr int kAppends = 300;
  FakeDisk disk;
  std::vector<std::string> in_sink;  // payloads that the follower received, in order
  FileLogOptions options = On(disk);
  options.max_file_bytes = 20000;
  options.on_durable = [&](const DurableBlock& block) {
    for (const RecordView& record : block->records) in_sink.emplace_back(record.payload);
  };
  auto log = MustOpen(options);
  std::mutex mutex;
  std::map<uint64_t, std::string> answered;  // first sequence: payload prefix
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        const std::string a = name + "/a", b = name + "/b";
        const LogEntry entries[] = {{1, 1, a}, {2, 2, b}};
        const Status status = log->Append(entries, [&, name](const Status& result, uint64_t first) {
          EXPECT_TRUE(result.ok());
          std::lock_guard lock(mutex);
          answered[first] = name;
        });
        EXPECT_TRUE(status.ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  log.reset();
  const std::vector<std::string> payloads = ReadAll(disk);
  ASSERT_EQ(payloads.size(), 2u * kThreads * kAppends);
  ASSERT_EQ(answered.size(), 1u * kThreads * kAppends);
  for (const auto& [first, name] : answered) {
    EXPECT_EQ(payloads[first - 1], name + "/a");
    EXPECT_EQ(payloads[first], name + "/b");
  }
  EXPECT_EQ(in_sink, payloads);
}

TEST(FileLog, AReaderFollowsALogThatRunsThroughItsFiles) {
  FakeDisk disk;
  FileLogOptions options = On(disk);
  options.max_file_bytes = 700;
  auto log = MustOpen(options);
  (void)AppendAndWait(*log, {"1"});
  auto reader = FileReader::Open(kLogDir, 1, {.last_sequence = 1, .disk = &disk});
  ASSERT_TRUE(reader.ok());
  uint64_t seen = 0;
  for (uint64_t i = 2; i <= 60; ++i) {
    RecordView record;
    while (*reader->Next(&record)) {
      EXPECT_EQ(record.sequence, ++seen);
      EXPECT_TRUE(record.payload.starts_with(std::to_string(seen)));
    }
    EXPECT_EQ(seen, log->durable_sequence());
    ASSERT_TRUE(AppendAndWait(*log, {std::to_string(i) + std::string(i * 3, ' ')}).status.ok());
    reader->ReadTo(log->durable_sequence());
  }
  EXPECT_GT(disk.Paths().size(), 5u);
}

// Repeated power cuts in the middle of a write, on the same disk. Any of the sectors in flight may have been written.
// Acknowledged records are present each time, and any further records are a prefix of the pending ones.
TEST(FileLog, NoPowerCutTakesWhatWasAnswered) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto payload = [&] { return std::string(random() % 900, 'a' + random() % 26); };
    FakeDisk disk;
    FileLogOptions options = On(disk);
    options.max_file_bytes = 20000;
    std::vector<std::string> expected;
    for (int round = 0; round < 6; ++round) {
      auto log = MustOpen(options);
      for (uint32_t i = random() % 8; i > 0; --i) {
        expected.push_back(payload());
        ASSERT_TRUE(AppendAndWait(*log, {expected.back()}).status.ok());
      }
      std::vector<std::string> unanswered;
      for (uint32_t i = 1 + random() % 20; i > 0; --i) unanswered.push_back(payload());
      disk.HoldSyncs();
      auto waiting = AppendAsync(*log, unanswered);
      disk.AwaitHeldSync();
      const uint32_t arrive_percent = random() % 101;
      disk.CrashKeepingSectors([&](uint64_t) { return random() % 100 < arrive_percent; });
      disk.ReleaseSyncs();
      EXPECT_FALSE(waiting.get().status.ok());
      log.reset();
      log = MustOpen(options);
      const std::vector<std::string> found = ReadAll(disk);
      ASSERT_GE(found.size(), expected.size());
      expected.insert(expected.end(), unanswered.begin(), unanswered.end());
      ASSERT_LE(found.size(), expected.size());
      expected.resize(found.size());
      ASSERT_EQ(found, expected);
    }
  }
}

// The same, with the write cut at a byte: nothing after it was written.
TEST(FileLog, NoTornWriteTakesWhatWasAnswered) {
  for (uint64_t arrived = 0; arrived < 200; ++arrived) {
    FakeDisk disk;
    auto log = MustOpen(On(disk));
    ASSERT_TRUE(AppendAndWait(*log, {"one", "two"}).status.ok());
    disk.HoldSyncs();
    auto waiting = AppendAsync(*log, {std::string(30, 'x'), std::string(40, 'y'), "z"});
    disk.AwaitHeldSync();
    disk.CrashKeepingBytes(arrived);
    disk.ReleaseSyncs();
    EXPECT_FALSE(waiting.get().status.ok());
    log.reset();
    log = MustOpen(On(disk));
    const size_t whole = arrived < 50 ? 0 : arrived < 110 ? 1 : arrived < 131 ? 2 : 3;
    EXPECT_EQ(ReadAll(disk).size(), 2 + whole) << arrived;
  }
}

TEST(FileLog, WorksOnTheRealDisk) {
  const std::string dir = testing::TempDir() + "/attune_log_test_" + std::to_string(getpid());
  FileLogOptions options;
  options.max_file_bytes = 100000;
  for (int run = 0; run < 3; ++run) {
    auto log = FileLog::Open(dir, options);
    ASSERT_TRUE(log.ok()) << log.error().message;
    EXPECT_EQ((*log)->recovery().last_sequence, 100u * run);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(AppendAndWait(**log, {std::string(1000, 'x')}).status.ok());
    }
  }
  LogReport report;
  EXPECT_TRUE(VerifyLog(RealDisk(), dir, &report).ok());
  EXPECT_EQ(report.records, 300u);
  EXPECT_GT(report.files, 1u);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace attune
