#include "shard/router.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "log/record_type.h"
#include "log/shard_of.h"

namespace attune {
namespace {

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = testing::TempDir() + "/router_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(dir_);
    auto log = Log::Open(dir_, {});
    ASSERT_TRUE(log.ok());
    log_ = std::move(log).value();
  }
  void TearDown() override {
    log_.reset();
    std::filesystem::remove_all(dir_);
  }

  // Appends one event; its entry as it went into the log.
  LogEntry Append(Router* router, EventKind kind, std::string_view user, std::string_view anonymous_id = {}) {
    EventHead head;
    head.kind = kind;
    head.id = "m";
    head.user = user;
    head.anonymous_id = anonymous_id;
    if (kind == EventKind::kTrack) head.name = "a";
    bytes_.clear();
    EncodeEvent(head, "{}", &bytes_);
    LogEntry entry{static_cast<uint8_t>(RecordType::kEvent), 0, bytes_};
    EXPECT_TRUE(router->Append({&entry, 1}, log_.get(), [](const Status&, uint64_t) {}).ok());
    return entry;
  }
  RecordType TypeOf(Router* router, std::string_view user) {
    return static_cast<RecordType>(Append(router, EventKind::kTrack, user).type);
  }

  std::string dir_, bytes_;
  std::unique_ptr<Log> log_;
};

TEST_F(RouterTest, AnEventConcernsTheShardOfItsUser) {
  Router router;
  const LogEntry entry = Append(&router, EventKind::kTrack, "ann", "device");
  EXPECT_EQ(entry.type, static_cast<uint8_t>(RecordType::kEvent));
  EXPECT_EQ(entry.shard, ShardOf("ann"));
  EXPECT_EQ(TypeOf(&router, "device"), RecordType::kEvent) << "a track links nothing";
}

TEST_F(RouterTest, AnIdThatWasAskedToBeMergedMayLeadToAnother) {
  Router router;
  EXPECT_EQ(Append(&router, EventKind::kIdentify, "ann", "device").type, static_cast<uint8_t>(RecordType::kLinking));
  EXPECT_EQ(Append(&router, EventKind::kIdentify, "ann").type, static_cast<uint8_t>(RecordType::kEvent));
  EXPECT_EQ(TypeOf(&router, "device"), RecordType::kLinked);
  EXPECT_EQ(TypeOf(&router, "ann"), RecordType::kEvent);
  Append(&router, EventKind::kIdentify, "ann", "device");  // as browsers do with each page
  EXPECT_EQ(TypeOf(&router, "ann"), RecordType::kEvent);
}

TEST_F(RouterTest, FollowsChains) {
  Router router;
  Append(&router, EventKind::kAlias, "b", "a");
  Append(&router, EventKind::kAlias, "c", "a");  // a may lead to b by now, so that b may be merged into c
  EXPECT_EQ(TypeOf(&router, "a"), RecordType::kLinked);
  EXPECT_EQ(TypeOf(&router, "b"), RecordType::kLinked);
  EXPECT_EQ(TypeOf(&router, "c"), RecordType::kEvent);
}

TEST_F(RouterTest, ARestartKnowsWhatWasMerged) {
  Identity identity;
  identity.Merge("a", "b", 1);
  identity.Merge("b", "c", 2);
  Router router;
  router.Restore(identity);
  EXPECT_EQ(TypeOf(&router, "a"), RecordType::kLinked);
  EXPECT_EQ(TypeOf(&router, "b"), RecordType::kLinked);
  EXPECT_EQ(TypeOf(&router, "c"), RecordType::kEvent);
  Append(&router, EventKind::kAlias, "d", "a");  // which leads to c
  EXPECT_EQ(TypeOf(&router, "c"), RecordType::kLinked);
}

}  // namespace
}  // namespace attune
