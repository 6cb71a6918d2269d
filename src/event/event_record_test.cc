#include "event/event_record.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

TEST(EventRecord, HasTheIdsThatItsBytesHave) {
  const size_t sizes[] = {0, 1, 127, 128, 255, 16'383, 16'384, 100'000};
  for (const size_t size : sizes) {
    for (const bool clock_ignored : {false, true}) {
      const std::string text(size, 'x'), user = "u" + text, anonymous = text;
      const std::string json = "{\"a\":\"" + text + "\"}";
      EventHead head;
      head.kind = EventKind::kIdentify;
      head.id = "id";
      head.user = user;
      head.anonymous_id = anonymous;
      head.name = text;
      head.clock_ignored = clock_ignored;
      const EventRecord record(head, json);
      std::string encoded;
      EncodeEvent(head, json, &encoded);
      EXPECT_EQ(record.bytes(), encoded);
      EXPECT_EQ(record.kind(), EventKind::kIdentify);
      EXPECT_EQ(record.user(), user);
      EXPECT_EQ(record.anonymous_id(), anonymous);
    }
  }
}

TEST(EventRecord, KeepsItsIdsWhenItIsMoved) {
  EventHead head;
  head.id = head.user = head.name = "a";
  EventRecord record(head, "{}");
  const EventRecord moved = std::move(record);
  EXPECT_EQ(moved.user(), "a");
  EXPECT_EQ(moved.anonymous_id(), "");
  EXPECT_EQ(EventRecord().user(), "");
}

}  // namespace
}  // namespace attune
