#include "shard/router.h"

#include <gtest/gtest.h>

#include <vector>

#include "log/record_type.h"
#include "log/shard_of.h"
#include "memory_log/memory_log.h"
#include "step_workers/step_workers.h"

namespace attune {
namespace {

class RouterTest : public testing::Test {
 protected:
  // Appends one event and returns its record in the log.
  RecordView Append(Router* router, EventKind kind, std::string_view user, std::string_view anonymous_id = {}) {
    EventHead head;
    head.kind = kind;
    head.id = "m";
    head.user = user;
    head.anonymous_id = anonymous_id;
    if (kind == EventKind::kTrack) head.name = "a";
    const EventRecord event(head, "{}");
    const NewRecord record = NewRecord::Event(event);
    EXPECT_TRUE(router->Append({&record, 1}, &log_, nullptr).ok());
    Sync();
    EXPECT_EQ(blocks_.back()->records.size(), 1u);
    EXPECT_EQ(blocks_.back()->records.front().payload, event.bytes());
    return blocks_.back()->records.front();
  }
  void Sync() {
    for (const StepWorkers::Mover& worker : workers_.All()) workers_.Step(worker.id);
  }
  RecordType TypeOf(Router* router, std::string_view user) {
    return static_cast<RecordType>(Append(router, EventKind::kTrack, user).type);
  }

  StepWorkers workers_;
  std::vector<DurableBlock> blocks_;
  MemoryLog log_{MemoryLog::Options{.workers = &workers_, .on_durable = [this](const DurableBlock& block) { blocks_.push_back(block); }}};
};

TEST_F(RouterTest, AnEventConcernsTheShardOfItsUser) {
  Router router;
  const RecordView entry = Append(&router, EventKind::kTrack, "ann", "device");
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
  Append(&router, EventKind::kIdentify, "ann", "device");  // as browsers send with each page
  EXPECT_EQ(TypeOf(&router, "ann"), RecordType::kEvent);
}

TEST_F(RouterTest, KeepsTheOrderOfWhatIsAppendedTogether) {
  EventHead linking, of_device;
  linking.kind = EventKind::kIdentify;
  linking.id = of_device.id = "m";
  linking.user = "ann";
  linking.anonymous_id = of_device.user = "device";
  of_device.name = "a";
  const EventRecord first(of_device, "{}"), second(linking, "{}");
  const NewRecord records[] = {NewRecord::Event(first), {RecordType::kTick, 9, "tick"}, NewRecord::Event(second), NewRecord::Event(first)};
  Router router;
  EXPECT_TRUE(router.Append(records, &log_, nullptr).ok());
  Sync();
  const std::vector<RecordView>& logged = blocks_.back()->records;
  ASSERT_EQ(logged.size(), 4u);
  const RecordType types[] = {RecordType::kEvent, RecordType::kTick, RecordType::kLinking, RecordType::kLinked};
  const uint8_t shards[] = {ShardOf("device"), 9, ShardOf("ann"), ShardOf("device")};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(logged[i].type, static_cast<uint8_t>(types[i])) << i;
    EXPECT_EQ(logged[i].shard, shards[i]) << i;
    EXPECT_EQ(logged[i].payload, records[i].payload) << i;
  }
  EXPECT_EQ(records[3].type, RecordType::kEvent) << "what the caller gave stays as it is";
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
