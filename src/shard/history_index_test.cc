#include "shard/history_index.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace attune {
namespace {

using Sequences = std::vector<uint64_t>;

class HistoryIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "/history_index_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
    auto store = Store::Open(dir_);
    ASSERT_TRUE(store.ok());
    store_ = std::move(store).value();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Write(HistoryIndex* index) {
    WriteBatch batch;
    index->WriteTo([&](uint32_t slot) { return std::string_view(ids_[slot]); }, &batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  Sequences Of(const HistoryIndex& index, std::string_view id, uint32_t slot) { return index.Of(*store_, id, slot).value(); }

  const std::vector<std::string> ids_ = {"ann", "an", std::string("a\0b", 3), ""};
  std::string dir_;
  std::unique_ptr<Store> store_;
};

TEST_F(HistoryIndexTest, IsTheSameBeforeAndAfterItIsWritten) {
  HistoryIndex index(7);
  for (uint64_t sequence = 1; sequence <= 400; ++sequence) {
    index.Note(static_cast<uint32_t>(sequence % ids_.size()), sequence * sequence);
    if (sequence % 150 == 0) Write(&index);  // some is in the store, some in its last batch and in memory, some in memory alone
  }
  for (uint32_t slot = 0; slot < ids_.size(); ++slot) {
    Sequences expected;
    for (uint64_t sequence = 1; sequence <= 400; ++sequence) {
      if (sequence % ids_.size() == slot) expected.push_back(sequence * sequence);
    }
    EXPECT_EQ(Of(index, ids_[slot], slot), expected) << slot;
  }
  Write(&index);
  Write(&index);
  const HistoryIndex reopened(7);
  for (uint32_t slot = 0; slot < ids_.size(); ++slot) EXPECT_EQ(Of(reopened, ids_[slot], slot), Of(index, ids_[slot], slot));
}

TEST_F(HistoryIndexTest, KnowsOnlyItsShardAndUser) {
  HistoryIndex index(1), other(2);
  index.Note(0, 5);
  other.Note(0, 6);
  Write(&index);
  Write(&other);
  EXPECT_EQ(Of(index, "ann", 0), (Sequences{5}));
  EXPECT_EQ(Of(other, "ann", 0), (Sequences{6}));
  EXPECT_EQ(Of(index, "nobody", 9), Sequences());
}

TEST_F(HistoryIndexTest, TakesARecordTwice) {
  HistoryIndex index(1);
  index.Note(0, 5);
  Write(&index);
  index.Note(0, 5);  // applied again after a stop
  index.Note(0, 3);  // came with another's history
  EXPECT_EQ(Of(index, "ann", 0), (Sequences{3, 5}));
  Write(&index);
  EXPECT_EQ(Of(index, "ann", 0), (Sequences{3, 5}));
}

}  // namespace
}  // namespace attune
