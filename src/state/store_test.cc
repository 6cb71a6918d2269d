#include "state/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "fake_store/fake_batch_log.h"
#include "state/keyspace.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> UserOf(const Store& store, uint8_t shard, std::string_view id) {
  std::optional<std::string> found;
  const Status status = store.ForEachUser(shard, [&](std::string_view user, std::string_view blob) {
    if (user == id) found = blob;
    return !found;
  });
  EXPECT_TRUE(status.ok()) << status.error().message;
  return found;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::path(testing::TempDir()) / ("attune_store_test_" + std::to_string(getpid()) + "_" +
                                           testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string Dir(const std::string& name = "state") const { return (dir_ / name).string(); }
  std::unique_ptr<Store> MustOpen(const std::string& name = "state") {
    auto store = Store::Open(Dir(name));
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(*store);
  }

  fs::path dir_;
};

TEST_F(StoreTest, WhatIsWrittenIsFoundAlsoAfterReopening) {
  auto store = MustOpen();
  WriteBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.PutUser(3, "ann", "state of ann");
  batch.PutShard(3, "position 17");
  batch.Put(keys::kApiKeys, "key1", "hash");
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store->Write(batch).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(UserOf(*store, 3, "ann"), "state of ann");
    EXPECT_EQ(**store->GetShard(3), "position 17");
    EXPECT_EQ(**store->Get(keys::kApiKeys, "key1"), "hash");
    EXPECT_FALSE(UserOf(*store, 4, "ann").has_value());
    EXPECT_FALSE(UserOf(*store, 3, "an").has_value());
    EXPECT_FALSE(store->GetShard(4)->has_value());
    EXPECT_FALSE(store->Get(keys::kConfig, "key1")->has_value());
    store.reset();
    store = MustOpen();
  }
}

TEST_F(StoreTest, DeletesAndLaterChangesWin) {
  auto store = MustOpen();
  WriteBatch batch;
  batch.PutUser(0, "a", "1");
  batch.PutUser(0, "a", "2");
  batch.PutUser(0, "b", "1");
  batch.DeleteUser(0, "b");
  batch.Put(keys::kConfig, "x", "1");
  batch.Delete(keys::kConfig, "x");
  ASSERT_TRUE(store->Write(batch).ok());
  EXPECT_EQ(UserOf(*store, 0, "a"), "2");
  EXPECT_FALSE(UserOf(*store, 0, "b").has_value());
  EXPECT_FALSE(store->Get(keys::kConfig, "x")->has_value());
  batch.Clear();
  EXPECT_TRUE(batch.empty());
  batch.DeleteUser(0, "a");
  ASSERT_TRUE(store->Write(batch).ok());
  EXPECT_FALSE(UserOf(*store, 0, "a").has_value());
}

TEST_F(StoreTest, AShardsUsersAreItsOwnWhateverTheirIds) {
  using namespace std::string_view_literals;
  auto store = MustOpen();
  const std::string_view ids[] = {""sv, "\0"sv, "\0\0x"sv, "a/b"sv, "\xff"sv, "\xff\xff\xff"sv};
  const uint8_t shards[] = {0, 1, 46, 47, 63, 254, 255};
  WriteBatch batch;
  for (const uint8_t shard : shards) {
    for (const std::string_view id : ids) batch.PutUser(shard, id, std::to_string(shard));
  }
  ASSERT_TRUE(store->Write(batch).ok());
  for (const uint8_t shard : shards) {
    std::vector<std::string> found;
    ASSERT_TRUE(store
                    ->ForEachUser(shard,
                                  [&](std::string_view id, std::string_view blob) {
                                    EXPECT_EQ(blob, std::to_string(shard));
                                    found.emplace_back(id);
                                    return true;
                                  })
                    .ok());
    EXPECT_EQ(found, std::vector<std::string>(std::begin(ids), std::end(ids))) << int{shard};
  }
}

TEST_F(StoreTest, DeletesWhatOneShardHas) {
  using namespace std::string_view_literals;
  auto store = MustOpen();
  WriteBatch batch;
  for (const uint8_t shard : {6, 7, 8}) {
    for (const std::string_view id : {""sv, "\0"sv, "ann"sv, "\xff\xff"sv}) {
      batch.PutUser(shard, id, "x");
      for (const std::string_view prefix : {keys::kHistory, keys::kEnded}) batch.Put(prefix, static_cast<char>(shard) + std::string(id), "x");
    }
    batch.PutShard(shard, "x");
  }
  ASSERT_TRUE(store->Write(batch).ok());
  batch.Clear();
  batch.DeleteShard(7);
  batch.PutUser(7, "bob", "y");  // later changes win
  ASSERT_TRUE(store->Write(batch).ok());
  const auto users = [&](uint8_t shard) {
    int count = 0;
    EXPECT_TRUE(store->ForEachUser(shard, [&](std::string_view, std::string_view) { return ++count; }).ok());
    return count;
  };
  EXPECT_EQ(users(6), 4);
  EXPECT_EQ(users(7), 1);
  EXPECT_EQ(users(8), 4);
  for (const std::string_view prefix : {keys::kHistory, keys::kEnded}) {
    int left = 0;
    const auto count = [&](std::string_view name, std::string_view) {
      EXPECT_NE(name[0], 7);
      return ++left;
    };
    EXPECT_TRUE(store->ForEach(prefix, count).ok());
    EXPECT_EQ(left, 8) << prefix;
  }
  EXPECT_TRUE(store->GetShard(7)->has_value());
}

TEST_F(StoreTest, AVisitCanStartAnywhereAndStop) {
  auto store = MustOpen();
  WriteBatch batch;
  for (const char* name : {"a", "b", "c", "d"}) batch.Put(keys::kPlans, name, name);
  batch.Put(keys::kOutbox, "z", "z");
  ASSERT_TRUE(store->Write(batch).ok());
  std::string seen;
  ASSERT_TRUE(store
                  ->ForEach(
                      keys::kPlans,
                      [&](std::string_view name, std::string_view) {
                        seen += name;
                        return name != "c";
                      },
                      "aa")
                  .ok());
  EXPECT_EQ(seen, "bc");
}

TEST_F(StoreTest, NamesBackwardsAndDroppedFromTheFront) {
  auto store = MustOpen();
  WriteBatch batch;
  for (const char* name : {"a", "b", "c", "d"}) batch.Put(keys::kOutbox, name, name);
  batch.Put(keys::kOutboxMarks, "z", "z");  // the preceding prefix
  batch.Put(keys::kPlans, "a", "a");        // and the following one
  ASSERT_TRUE(store->Write(batch).ok());
  const auto backwards = [&](std::string_view before) {
    std::string seen;
    EXPECT_TRUE(store
                    ->ForEachBackwards(
                        keys::kOutbox,
                        [&](std::string_view name, std::string_view) {
                          seen += name;
                          return name != "b";
                        },
                        before)
                    .ok());
    return seen;
  };
  EXPECT_EQ(backwards("zz"), "dcb");
  EXPECT_EQ(backwards("d"), "cb");
  EXPECT_EQ(backwards("cc"), "cb");
  EXPECT_EQ(backwards("a"), "");
  batch.Clear();
  batch.DeleteBelow(keys::kOutbox, "b");
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(store->Write(batch).ok());
  EXPECT_EQ(backwards("zz"), "dcb");
  EXPECT_EQ(backwards("b"), "");
  EXPECT_EQ(**store->Get(keys::kOutboxMarks, "z"), "z");
  EXPECT_EQ(**store->Get(keys::kPlans, "a"), "a");
}

TEST_F(StoreTest, AnOlderStoreIsTakenOver) {
  { MustOpen(); }
  const auto open_raw = [&] {
    rocksdb::DB* raw = nullptr;
    EXPECT_TRUE(rocksdb::DB::Open(rocksdb::Options(), Dir(), &raw).ok());
    return std::unique_ptr<rocksdb::DB>(raw);
  };
  ASSERT_TRUE(open_raw()->Put({}, std::string(keys::kVersion), "1").ok());
  { MustOpen(); }
  std::string version;
  ASSERT_TRUE(open_raw()->Get({}, std::string(keys::kVersion), &version).ok());
  EXPECT_EQ(version, std::to_string(keys::kStoreVersion));
}

TEST_F(StoreTest, AHundredThousandUsersAreVisitedInOrder) {
  constexpr int kUsers = 100000;
  auto store = MustOpen();
  WriteBatch batch;
  for (int i = 0; i < kUsers; ++i) {
    batch.PutUser(i % 2, "user" + std::to_string(1000000 + i), std::string(100, 'a' + i % 26));
    if (i % 100 != 99) continue;
    ASSERT_TRUE(store->Write(batch).ok());
    batch.Clear();
  }
  store.reset();
  store = MustOpen();
  int count = 0;
  std::string last;
  ASSERT_TRUE(store
                  ->ForEachUser(1,
                                [&](std::string_view id, std::string_view blob) {
                                  EXPECT_LT(last, id);
                                  EXPECT_EQ(blob.size(), 100u);
                                  last = id;
                                  ++count;
                                  return true;
                                })
                  .ok());
  EXPECT_EQ(count, kUsers / 2);
  EXPECT_TRUE(store->Verify().ok());
}

// A batch is cut at many places of the store's write-ahead log. After each cut the batch is there
// whole or not at all.
TEST_F(StoreTest, ACutBatchIsThereWholeOrNotAtAll) {
  constexpr int kBatches = 12;
  constexpr int kUsers = 5;
  auto store = MustOpen();
  for (int i = 1; i <= kBatches; ++i) {
    WriteBatch batch;
    for (int user = 0; user < kUsers; ++user) {
      batch.PutUser(9, std::to_string(user), std::to_string(i) + std::string(50, 'x'));
    }
    batch.PutShard(9, std::to_string(i));
    ASSERT_TRUE(store->Write(batch).ok());
  }
  const auto batch_log = [](const std::string& dir) {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(dir)) {
      if (entry.path().extension() == ".log") found = entry.path();
    }
    return found;
  };
  const uint64_t size = fs::file_size(batch_log(Dir()));
  int last_seen = kBatches;
  for (uint64_t cut = 0; cut < size; cut += 97) {
    fs::remove_all(Dir("copy"));
    fs::copy(Dir(), Dir("copy"));
    fs::resize_file(batch_log(Dir("copy")), size - cut);
    auto copy = MustOpen("copy");
    const auto position = copy->GetShard(9);
    ASSERT_TRUE(position.ok());
    const int batches = *position ? std::stoi(**position) : 0;
    EXPECT_LE(batches, last_seen);
    last_seen = batches;
    for (int user = 0; user < kUsers; ++user) {
      const auto blob = UserOf(*copy, 9, std::to_string(user));
      ASSERT_EQ(blob.has_value(), batches > 0) << cut;
      if (batches > 0) {
        EXPECT_EQ(std::stoi(*blob), batches);
      }
    }
  }
  EXPECT_EQ(last_seen, 0);
}

TEST_F(StoreTest, ANewerStoreIsRefused) {
  { MustOpen(); }
  {
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), Dir(), &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put({}, std::string(keys::kVersion), std::to_string(keys::kStoreVersion + 1)).ok());
  }
  const auto store = Store::Open(Dir());
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, ErrorCode::kInvalid);
  EXPECT_NE(store.error().message.find(fmt::format("version {} is newer", keys::kStoreVersion + 1)), std::string::npos);
}

TEST_F(StoreTest, ASecondOpenerIsRefused) {
  auto store = MustOpen();
  const auto second = Store::Open(Dir());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kConflict) << second.error().message;
}

TEST_F(StoreTest, ReadOnlyReadsAndRefusesToWrite) {
  WriteBatch batch;
  batch.PutShard(1, "x");
  { ASSERT_TRUE(MustOpen()->Write(batch).ok()); }
  StoreOptions options;
  options.read_only = true;
  auto store = Store::Open(Dir(), options);
  ASSERT_TRUE(store.ok()) << store.error().message;
  EXPECT_EQ(**(*store)->GetShard(1), "x");
  EXPECT_EQ((*store)->Write(batch).error().code, ErrorCode::kDenied);
}

TEST_F(StoreTest, AScratchStoreLeavesNothingBehind) {
  WriteBatch batch;
  batch.PutShard(1, "x");
  for (int round = 0; round < 2; ++round) {
    auto store = Store::Open(Dir(), {.in_memory = true});
    ASSERT_TRUE(store.ok()) << store.error().message;
    EXPECT_FALSE((*store)->GetShard(1)->has_value());
    ASSERT_TRUE((*store)->Write(batch, true).ok());
    EXPECT_EQ(**(*store)->GetShard(1), "x");
  }
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(StoreTest, ABatchLogDecidesWhatIsKept) {
  FakeBatchLog log;
  std::unique_ptr<Store> store;
  const auto reopen = [&] {
    store.reset();
    store = std::move(Store::Open(Dir(), {.batch_log = &log})).value();
  };
  const auto write = [&](uint8_t shard) {
    WriteBatch batch;
    batch.PutShard(shard, "x");
    return store->Write(batch);
  };
  const auto shards = [&] {
    std::string found;
    for (uint8_t shard = 0; shard < 4; ++shard) {
      if (store->GetShard(shard)->has_value()) found += std::to_string(shard);
    }
    return found;
  };
  reopen();
  EXPECT_TRUE(write(0).ok());
  log.fail_after = 0;
  EXPECT_EQ(write(1).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(shards(), "0") << "what the log refused is not applied";
  EXPECT_TRUE(store->Resume().ok());
  EXPECT_TRUE(write(2).ok());
  EXPECT_TRUE(write(3).ok());
  log.crashed = true;
  EXPECT_EQ(write(1).error().code, ErrorCode::kIo);
  EXPECT_EQ(store->Resume().error().code, ErrorCode::kIo);
  log.crashed = false;
  reopen();
  EXPECT_EQ(shards(), "023");
  log.batches.pop_back();
  reopen();
  EXPECT_EQ(shards(), "02");
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(StoreTest, DamageIsReportedNotReturned) {
  {
    auto store = MustOpen();
    WriteBatch batch;
    for (int i = 0; i < 1000; ++i) {
      batch.PutUser(1, std::to_string(i), std::to_string(i * 7919) + std::string(200, 'y'));
    }
    ASSERT_TRUE(store->Write(batch).ok());
  }
  { MustOpen(); }  // recovery writes the batches to a table file
  int damaged = 0;
  for (const auto& entry : fs::directory_iterator(Dir())) {
    if (entry.path().extension() != ".sst" || fs::file_size(entry.path()) < 5000) continue;
    FILE* file = fopen(entry.path().c_str(), "r+");
    fseek(file, 2000, SEEK_SET);
    fputs("damage", file);
    fclose(file);
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  auto store = MustOpen();
  EXPECT_EQ(store->Verify().error().code, ErrorCode::kCorrupt);
  const Status read = store->ForEachUser(1, [](std::string_view, std::string_view) { return true; });
  EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace attune
