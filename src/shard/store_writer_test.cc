#include "shard/store_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fake_store/fake_batch_log.h"
#include "state/keyspace.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

WriteBatch Named(const std::string& name) {
  WriteBatch batch;
  batch.Put(keys::kConfig, name, "x");
  return batch;
}

class StoreWriterTest : public testing::Test {
 protected:
  StoreWriterTest() {
    StoreOptions options;
    options.batch_log = &batch_log_;
    store_ = std::move(Store::Open("store", options)).value();
  }
  bool Has(const std::string& name) const { return store_->Get(keys::kConfig, name)->has_value(); }

  // Tries to write one batch. Returns false if it must be retried.
  bool Step(StoreWriter* writer) {
    workers_.Step(0);
    return !writer->retrying();
  }

  StepWorkers workers_;
  FakeBatchLog batch_log_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreWriterTest, TriesAFullStoreAgainAndWritesNothingBefore) {
  StoreWriter writer(store_.get(), &workers_);
  bool written = false;
  writer.Write(Named("first"), [&](bool done) { written = done; });
  const uint64_t second = writer.Write(Named("second"));
  batch_log_.fail_after = 0;
  EXPECT_FALSE(Step(&writer));
  EXPECT_TRUE(writer.retrying());
  EXPECT_FALSE(writer.failed());
  EXPECT_FALSE(Has("first") || Has("second") || written);
  EXPECT_FALSE(writer.IsReadyAfter(second));
  EXPECT_TRUE(Step(&writer));  // there is room again
  EXPECT_TRUE(written && Has("first") && !Has("second"));
  EXPECT_FALSE(writer.retrying());
  EXPECT_TRUE(Step(&writer));
  EXPECT_TRUE(Has("second") && writer.IsReadyAfter(second));
}

TEST_F(StoreWriterTest, WorkThatCouldNotWriteComesAgainBeforeWhatFollows) {
  StoreWriter writer(store_.get(), &workers_);
  int tries = 0;
  writer.Do([&] { return ++tries == 3; }, 100);
  writer.Write(Named("snapshot"));
  EXPECT_EQ(writer.waiting_bytes(), 100u);
  EXPECT_FALSE(Step(&writer));
  EXPECT_FALSE(Step(&writer));
  EXPECT_FALSE(Has("snapshot"));
  EXPECT_EQ(writer.waiting_bytes(), 100u);
  EXPECT_TRUE(Step(&writer));
  EXPECT_EQ(writer.waiting_bytes(), 0u);
  EXPECT_TRUE(Step(&writer));
  EXPECT_TRUE(Has("snapshot"));
  EXPECT_EQ(tries, 3);
}

}  // namespace
}  // namespace attune
