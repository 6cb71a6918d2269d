#include "event/event.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

EventHead ExampleHead() {
  EventHead head;
  head.kind = EventKind::kTrack;
  head.id = "m-1";
  head.user = "ann";
  head.anonymous_id = "a-9";
  head.name = "add_to_cart";
  head.time = 1772359200000;
  head.received = -1;
  return head;
}

TEST(Event, IsReadAsItWasWritten) {
  std::string bytes;
  EncodeEvent(ExampleHead(), R"({"a":1})", &bytes);
  const auto event = DecodeEvent(bytes);
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->head.kind, EventKind::kTrack);
  EXPECT_EQ(event->head.id, "m-1");
  EXPECT_EQ(event->head.user, "ann");
  EXPECT_EQ(event->head.anonymous_id, "a-9");
  EXPECT_EQ(event->head.name, "add_to_cart");
  EXPECT_EQ(event->head.time, 1772359200000);
  EXPECT_EQ(event->head.received, -1);
  EXPECT_EQ(event->json, R"({"a":1})");
}

// Only an event with a mark has the new encoding.
TEST(Event, KeepsThatItsClockWasIgnored) {
  EventHead head = ExampleHead();
  std::string plain, marked;
  EncodeEvent(head, "{}", &plain);
  EXPECT_EQ(plain[0], 1);
  EXPECT_FALSE(DecodeEvent(plain)->head.clock_ignored);
  head.clock_ignored = true;
  EncodeEvent(head, "{}", &marked);
  EXPECT_EQ(marked, std::string("\x02") + plain[1] + '\x01' + plain.substr(2));
  const auto event = DecodeEvent(marked);
  ASSERT_TRUE(event.ok());
  EXPECT_TRUE(event->head.clock_ignored);
  EXPECT_EQ(event->head.time, head.time);
  EXPECT_EQ(event->json, "{}");
  for (const char marks : {'\0', '\x02', '\x03'}) {
    marked[2] = marks;
    EXPECT_FALSE(DecodeEvent(marked).ok());
  }
}

TEST(Event, DamagedBytesAreCorrupt) {
  std::string bytes;
  EncodeEvent(ExampleHead(), "{}", &bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto event = DecodeEvent(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(event.ok()) << size;
    EXPECT_EQ(event.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(DecodeEvent(bytes + "x").ok());
  for (const auto& [at, byte] : {std::pair{0, 2}, std::pair{1, 0}, std::pair{1, 5}}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(byte);
    EXPECT_FALSE(DecodeEvent(damaged).ok()) << at << " " << byte;
  }
}

constexpr std::string_view kTrack = R"({"type":"track","event":"Product Viewed","userId":12345678901234567890,
  "anonymousId":2.0,"messageId":"m","timestamp":1772359200.5,
  "properties":{"price":20,"name":"dress","sale":true,"tags":["a",1,null,{"b":2},true],"gone":null,
                "address":{"city":"Łódź","zip":{"code":"90"}},"price":21.5},
  "context":{"page":{"path":"/sale"}},"traits":[]})";

TEST(EventReader, FindsValuesByTheirPath) {
  EventReader reader;
  ASSERT_TRUE(reader.Open(kTrack).ok());
  const struct {
    const char* root;
    std::vector<std::string> keys;
    const char* json;
  } kPaths[] = {
      {"properties", {"price"}, "21.5"},  // the last of two
      {"properties", {"name"}, "\"dress\""},
      {"properties", {"sale"}, "true"},
      {"properties", {"tags"}, "[\"a\",1,true]"},
      {"properties", {"gone"}, "null"},
      {"properties", {"missing"}, "null"},
      {"properties", {"address"}, "null"},
      {"properties", {"address", "city"}, "\"Łódź\""},
      {"properties", {"address", "zip", "code"}, "\"90\""},
      {"properties", {"price", "deeper"}, "null"},
      {"context", {"page", "path"}, "\"/sale\""},
      {"traits", {"a"}, "null"},
      {"nothing", {"a"}, "null"},
  };
  for (const auto& [root, keys, json] : kPaths) EXPECT_EQ(ToJson(reader.Find(root, keys)), json) << keys.back();
  EXPECT_EQ(reader.Look("properties", {"address"}).kind, JsonKind::kObject);
  EXPECT_EQ(reader.Look("properties", {"gone"}).kind, JsonKind::kNull);
  EXPECT_EQ(reader.JsonOf("properties", {"address"}), R"({"city":"Łódź","zip":{"code":"90"}})");
}

TEST(EventReader, ReadsIdsAsText) {
  EventReader reader;
  ASSERT_TRUE(reader.Open(kTrack).ok());
  EXPECT_EQ(reader.Text(Member::kUserId), "12345678901234567890");
  EXPECT_EQ(reader.Text(Member::kAnonymousId), "2");
  EXPECT_EQ(reader.Text(Member::kMessageId), "m");
  EXPECT_EQ(reader.Text(Member::kProperties), "");
  EXPECT_EQ(reader.Text(Member::kSentAt), "");
  EXPECT_EQ(reader.Get(Member::kProperties).kind, JsonKind::kObject);
  EXPECT_EQ(reader.Get(Member::kTraits).kind, JsonKind::kMissing);
}

std::string Leaves(EventReader* reader, std::string_view root) {
  std::string out;
  reader->ForEachLeaf(root, [&](std::string_view name, const Value&, std::string_view json) {
    out += std::string(name) + '=' + std::string(json) + ' ';
  });
  return out;
}

TEST(EventReader, WalksTheLeavesInTheOrderSent) {
  EventReader reader;
  ASSERT_TRUE(reader.Open(kTrack).ok());
  EXPECT_EQ(Leaves(&reader, "properties"),
            "name=\"dress\" sale=true tags=[\"a\",1,null,{\"b\":2},true] gone=null address.city=\"Łódź\" "
            "address.zip.code=\"90\" price=21.5 ");
  EXPECT_EQ(Leaves(&reader, "traits"), "");
}

TEST(EventReader, ShowsTheMembersOfAnObject) {
  EventReader reader;
  ASSERT_TRUE(reader.Open(R"({"context":{"consent":{"a":true,"b.c":false,"d":{"e":1},"f":[1],"a":"x"}},"properties":[]})").ok());
  const auto members = [&](std::string_view root, const std::vector<std::string>& keys) {
    std::string out;
    reader.ForEachMember(root, keys, [&](std::string_view name, const Value& value) { out += std::string(name) + '=' + ToJson(value) + ' '; });
    return out;
  };
  EXPECT_EQ(members("context", {"consent"}), "b.c=false d=null f=[1] a=\"x\" ");
  EXPECT_EQ(members("context", {"consent", "a"}), "");
  EXPECT_EQ(members("context", {"nothing"}), "");
  EXPECT_EQ(members("properties", {}), "");
}

TEST(EventReader, APagesNameIsItsPropertyName) {
  constexpr struct {
    const char* event;
    const char* name;
    const char* leaves;
  } kEvents[] = {
      {R"({"type":"page","name":"Home","properties":{"path":"/"}})", "\"Home\"", "path=\"/\" name=\"Home\" "},
      {R"({"name":"Home"})", "\"Home\"", "name=\"Home\" "},
      {R"({"type":"page","name":"Home","properties":{"name":"Mine"}})", "\"Mine\"", "name=\"Mine\" "},
      {R"({"type":"track","event":"e","name":"Home"})", "null", ""},
      {R"({"type":"page","name":{"a":1}})", "null", ""},
  };
  EventReader reader;
  for (const auto& [event, name, leaves] : kEvents) {
    ASSERT_TRUE(reader.Open(event).ok());
    EXPECT_EQ(ToJson(reader.Find("properties", {"name"})), name) << event;
    EXPECT_EQ(Leaves(&reader, "properties"), leaves) << event;
  }
}

TEST(EventReader, RefusesWhatIsNoEvent) {
  constexpr struct {
    const char* text;
    const char* message;
  } kTexts[] = {
      {"", "there is no value at byte 0"},
      {"[1]", "expected an object at byte 0"},
      {" 3", "expected an object at byte 1"},
      {"{\"a\":1,}", "expected a member's name in double quotes at byte 7"},
      {"{\"a\":\"\xFF\"}", "a byte that is not UTF-8 at byte 6"},
      {"{\"a\":1e999}", "a number out of range at byte 5"},
      {"{} {}", "something follows the value at byte 3"},
  };
  EventReader reader;
  for (const auto& [text, message] : kTexts) {
    ASSERT_TRUE(reader.Open(R"({"userId":"a"})").ok());
    const Status status = reader.Open(text);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().message, message);
    EXPECT_EQ(reader.Get(Member::kUserId).kind, JsonKind::kMissing);
  }
}

std::string Nested(size_t levels) {
  std::string text;
  for (size_t i = 1; i < levels; ++i) text += "{\"a\":";
  text += "{}";
  return text + std::string(levels - 1, '}');
}

TEST(EventReader, DepthHasALimitThatBothParsersKeep) {
  EventReader reader;
  EXPECT_TRUE(reader.Open(Nested(kMaxEventDepth)).ok());
  const Status status = reader.Open(Nested(kMaxEventDepth + 1));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "nested too deep at byte 160");
  EXPECT_TRUE(reader.Open("{\"a\":\"" + std::string(100'000, 'x') + "\"}").ok());
  EXPECT_FALSE(reader.Open(Nested(kMaxEventDepth + 1)).ok()) << "also after the buffers have grown";
}

TEST(Timestamp, IsReadByItsSize) {
  const struct {
    Value value;
    std::optional<Millis> time;
  } kTimes[] = {
      {Value::String("2026-03-01T10:00:00.123Z"), 1772359200123},
      {Value::Number(1772359200), 1772359200000},
      {Value::Number(1772359200.25), 1772359200250},
      {Value::Number(1772359200123), 1772359200123},
      {Value::Number(1772359200123456), 1772359200123},
      {Value::String("1772359200123"), 1772359200123},
      {Value::String("1592337718.0"), 1592337718000},
      {Value::Number(0), 0},
      {Value::Number(-86400), -86400000},
      {Value::Time(7), 7},
      {Value::Number(1e17), std::nullopt},
      {Value::String("yesterday"), std::nullopt},
      {Value::String(""), std::nullopt},
      {Value::String("nan"), std::nullopt},
      {Value::Bool(true), std::nullopt},
      {Value(), std::nullopt},
  };
  for (const auto& [value, time] : kTimes) EXPECT_EQ(ReadTimestamp(value), time) << ToJson(value);
}

}  // namespace
}  // namespace attune
