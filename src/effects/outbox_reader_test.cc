#include "effects/outbox_reader.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "effects/effect_group.h"
#include "state/keyspace.h"

namespace attune {
namespace {

class OutboxReaderTest : public testing::Test {
 protected:
  OutboxReaderTest() {
    store_ = std::move(Store::Open("store", {.in_memory = true})).value();
  }
  // In groups of a few, in turns from two writers, so that groups overlap as those of two lanes do.
  void Put(const std::set<EffectId>& ids) {
    WriteBatch batch;
    EffectGroupWriter writers[2];
    size_t number = 0;
    const auto put = [&](EffectGroupWriter* writer) {
      if (writer->empty()) return;
      const EffectGroup group = writer->Take();
      batch.Put(keys::kOutbox, EffectKey(group.first()), group.bytes());
    };
    for (const EffectId id : ids) {
      EffectGroupWriter& writer = writers[number++ % 2];
      if (!writer.MayAdd(id) || number % 7 == 0) put(&writer);
      writer.Add(EffectAt(id));
    }
    for (EffectGroupWriter& writer : writers) put(&writer);
    batch.Put(keys::kOutboxMarks, EffectKey({9, 9}), "");  // under the preceding prefix
    batch.Put(keys::kOutboxPublished, "x", "");                 // and under the following one
    ASSERT_TRUE(store_->Write(batch).ok());
  }
  static PublishedEffect EffectAt(EffectId id) {
    return {id, EffectKind::kEnter, false, static_cast<Millis>(id.sequence), "buyer", id.sequence % 2 == 0 ? "ann" : "ben", ""};
  }
  // The id of the effect that Seek finds, or `none`.
  static std::string Found(OutboxReader* reader, EffectId id) {
    const auto kept = reader->Seek(id);
    EXPECT_TRUE(kept.ok());
    if (!*kept) return "none";
    EXPECT_EQ((*kept)->hash, OutboxReader::HashOf(EffectAt((*kept)->id)));
    return ToText((*kept)->id);
  }

  std::unique_ptr<Store> store_;
};

TEST_F(OutboxReaderTest, FindsWhatIsThereAndWhatFollows) {
  Put({{1, 0}, {1, 1}, {4, 0}, {300, 2}});
  for (const size_t page : {1, 2, 3, 4, 5, 100}) {
    SCOPED_TRACE(page);
    OutboxReader reader(store_.get(), page);
    EXPECT_EQ(Found(&reader, {0, 0}), "1-0");
    EXPECT_EQ(Found(&reader, {1, 0}), "1-0");
    EXPECT_EQ(Found(&reader, {1, 0}), "1-0");
    EXPECT_EQ(Found(&reader, {1, 1}), "1-1");
    EXPECT_EQ(Found(&reader, {1, 2}), "4-0");
    EXPECT_EQ(Found(&reader, {4, 1}), "300-2");
    EXPECT_EQ(Found(&reader, {300, 2}), "300-2");
    EXPECT_EQ(Found(&reader, {300, 3}), "none");
    EXPECT_EQ(Found(&reader, {301, 0}), "none");
  }
}

TEST_F(OutboxReaderTest, FindsNothingInAnEmptyOutbox) {
  Put({});
  OutboxReader reader(store_.get(), 2);
  EXPECT_EQ(Found(&reader, {0, 0}), "none");
  EXPECT_EQ(Found(&reader, {1, 0}), "none");
}

TEST_F(OutboxReaderTest, FindsTheSameAsASet) {
  std::mt19937_64 random(1);
  std::set<EffectId> ids;
  for (int i = 0; i < 1'000; ++i) ids.insert({random() % 700, static_cast<uint32_t>(random() % 4)});
  Put(ids);
  for (const size_t page : {1, 7, 64, 5'000}) {
    OutboxReader reader(store_.get(), page);
    EffectId asked;
    while (asked.sequence < 720) {
      const auto next = ids.lower_bound(asked);
      EXPECT_EQ(Found(&reader, asked), next == ids.end() ? "none" : ToText(*next)) << page;
      asked = random() % 2 == 0 ? EffectId{asked.sequence, asked.index + 1}
                                : EffectId{asked.sequence + 1 + random() % 9, static_cast<uint32_t>(random() % 4)};
    }
  }
}

}  // namespace
}  // namespace attune
