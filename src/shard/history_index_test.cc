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
    index->WriteTo([&](uint32_t slot) { return std::string_view(ids_[slot % ids_.size()]); }, ++position_, &batch);
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  Sequences Of(const HistoryIndex& index, uint8_t shard, std::string_view id, uint32_t slot) {
    return HistoryIndex::Collect(*store_, [&](uint8_t of) { return of == shard ? &index : nullptr; }, {shard, slot, std::string(id)}).value();
  }

  const std::vector<std::string> ids_ = {"ann", "an", std::string("a\0b", 3), ""};
  uint64_t position_ = 0;
  std::string dir_;
  std::unique_ptr<Store> store_;
};

TEST_F(HistoryIndexTest, IsTheSameBeforeAndAfterItIsWritten) {
  HistoryIndex index(7);
  for (uint64_t sequence = 1; sequence <= 400; ++sequence) {
    index.Note(static_cast<uint32_t>(sequence % ids_.size()), sequence * sequence);
    if (sequence % 150 == 0) Write(&index);  // in the store, in its last batch and memory, or only in memory
  }
  for (uint32_t slot = 0; slot < ids_.size(); ++slot) {
    Sequences expected;
    for (uint64_t sequence = 1; sequence <= 400; ++sequence) {
      if (sequence % ids_.size() == slot) expected.push_back(sequence * sequence);
    }
    EXPECT_EQ(Of(index, 7, ids_[slot], slot), expected) << slot;
  }
  Write(&index);
  Write(&index);
  HistoryIndex reopened(7);
  reopened.SetStored();
  for (uint32_t slot = 0; slot < ids_.size(); ++slot) EXPECT_EQ(Of(reopened, 7, ids_[slot], slot), Of(index, 7, ids_[slot], slot));
}

// Another shard, ahead of this one at a stop, has stored that it includes the user, but has no slot for it.
TEST_F(HistoryIndexTest, FindsWhoEndedByTheirId) {
  HistoryIndex index(7);
  index.Note(0, 3);
  index.NoteEnded(0, "ann");
  index.Note(1, 4);
  EXPECT_EQ(Of(index, 7, "ann", kNoSlot), Sequences({3}));
  index.Note(2, 5);  // a new user with the same id
  EXPECT_EQ(Of(index, 7, "ann", 2), Sequences({3, 5}));
  EXPECT_EQ(Of(index, 7, "an", kNoSlot), Sequences());
  HistoryIndex ahead(8);
  ahead.NoteIncluded(3, 6, {7, kNoSlot, "ann"});
  Write(&ahead);
  const auto both = HistoryIndex::Collect(*store_, [&](uint8_t of) { return of == 7 ? &index : nullptr; }, {8, kNoSlot, ""}).value();
  EXPECT_EQ(both, Sequences({3}));
  Write(&index);
  Write(&index);
  EXPECT_EQ(Of(index, 7, "ann", kNoSlot), Sequences({3}));
}

// Merged and parted within one snapshot: two users with one id both have the record.
TEST_F(HistoryIndexTest, KeepsWhatTwoUsersWithOneIdHad) {
  HistoryIndex index(7);
  index.Note(0, 3);
  index.Note(0, 6);
  index.NoteEnded(0, "ann");
  index.Note(4, 3);
  Write(&index);
  HistoryIndex reopened(7);
  reopened.SetStored();
  EXPECT_EQ(Of(reopened, 7, "ann", kNoSlot), Sequences({3, 6}));
}

// Under another plan another record was a duplicate.
TEST_F(HistoryIndexTest, HasNoPartOfAnotherPlans) {
  HistoryIndex before(7);
  before.Note(0, 3);
  before.Note(0, 4);
  Write(&before);
  HistoryIndex index(7);
  index.Note(0, 3);
  for (int written = 0; written < 3; ++written) {
    EXPECT_EQ(Of(index, 7, "ann", 0), Sequences({3})) << written;
    if (written == 0) {  // as Shard::BeginSnapshot does
      WriteBatch batch;
      batch.DeleteShard(7);
      ASSERT_TRUE(store_->Write(batch).ok());
    }
    Write(&index);
  }
}

TEST_F(HistoryIndexTest, KnowsOnlyItsShardAndUser) {
  HistoryIndex index(1), other(2);
  index.Note(0, 5);
  other.Note(0, 6);
  Write(&index);
  Write(&other);
  EXPECT_EQ(Of(index, 1, "ann", 0), (Sequences{5}));
  EXPECT_EQ(Of(other, 2, "ann", 0), (Sequences{6}));
  EXPECT_EQ(Of(index, 1, "nobody", 9), Sequences());
}

TEST_F(HistoryIndexTest, TakesARecordTwice) {
  HistoryIndex index(1);
  index.Note(0, 5);
  Write(&index);
  index.Note(0, 5);  // applied again after a stop
  index.Note(0, 3);  // came with another's history
  EXPECT_EQ(Of(index, 1, "ann", 0), (Sequences{3, 5}));
  Write(&index);
  EXPECT_EQ(Of(index, 1, "ann", 0), (Sequences{3, 5}));
}

// As after an undone merge: the user's records are noted again, some together with others.
TEST_F(HistoryIndexTest, NoPieceOverwritesAnother) {
  HistoryIndex index(1);
  for (const uint64_t sequence : {5, 6, 7}) index.Note(0, sequence);
  Write(&index);
  Write(&index);
  index.Note(0, 5);
  Write(&index);
  Write(&index);
  HistoryIndex reopened(1);
  reopened.SetStored();
  EXPECT_EQ(Of(reopened, 1, "ann", 0), (Sequences{5, 6, 7}));
}

// ann includes the history of `an`, which includes that of `a`: in memory, partly in the store, and only in the store.
TEST_F(HistoryIndexTest, FollowsWhatAHistoryIncludes) {
  HistoryIndex index(7);
  index.Note(2, 1);
  index.Note(1, 2);
  index.NoteIncluded(1, 3, {7, 2, ids_[2]});
  index.Note(0, 4);
  index.NoteIncluded(0, 5, {7, 1, ids_[1]});
  index.NoteIncluded(2, 6, {7, 0, ids_[0]});  // a's history continues with ann's: a cycle
  const IndexedUser an{7, 1, ids_[1]};
  const auto without_an = [&](const HistoryIndex& of) {
    return HistoryIndex::Collect(*store_, [&](uint8_t) { return &of; }, {7, 0, ids_[0]}, &an).value();
  };
  for (int written = 0; written < 3; ++written) {
    EXPECT_EQ(Of(index, 7, "ann", 0), (Sequences{1, 2, 4})) << written;
    EXPECT_EQ(without_an(index), (Sequences{4})) << written;
    Write(&index);
  }
  HistoryIndex reopened(7);
  reopened.SetStored();
  EXPECT_EQ(Of(reopened, 7, "ann", kNoSlot), (Sequences{1, 2, 4}));
}

}  // namespace
}  // namespace attune
