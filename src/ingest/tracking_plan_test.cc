#include "ingest/tracking_plan.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

constexpr Millis kTrackingReceived = 1772359200000;  // 2026-03-01T10:00:00Z

Plan Load(std::string_view yaml) {
  LoadedPlan loaded = ParsePlan(yaml);
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << ToText(problem);
  return loaded.plan ? std::move(*loaded.plan) : Plan();
}

constexpr std::string_view kShopPlan = R"(
events:
  add_to_cart:
    properties:
      product_id: string
      price: number?
      quantity: integer?
      gift: boolean?
      deliver_at: time?
  page_viewed:
    properties:
      name: string
)";

Origin Live() {
  Origin origin;
  origin.source = "here";
  origin.received = kTrackingReceived;
  return origin;
}

// An event around what each case is about.
std::string Track(std::string_view members) {
  return R"({"type":"track","event":"Add To Cart","userId":"ann","messageId":"m","properties":{"product_id":"p"})" +
         (members.empty() ? "" : "," + std::string(members)) + "}";
}
std::string AddToCart(std::string_view properties) {
  return R"({"type":"track","event":"add_to_cart","userId":"ann","properties":)" + std::string(properties) + "}";
}

struct Refused {
  std::string json;
  Reason reason;
  const char* field;
  const char* detail;
};

void ExpectRefused(TrackingPlan* plan, const Origin& origin, const std::vector<Refused>& cases) {
  for (const auto& [json, reason, field, detail] : cases) {
    const Admission admission = plan->Admit(json, origin);
    ASSERT_FALSE(admission.ok()) << json;
    EXPECT_EQ(CodeOf(admission.dead->first().reason), CodeOf(reason)) << json;
    EXPECT_EQ(admission.dead->first().field, field) << json;
    EXPECT_EQ(admission.dead->first().detail, detail) << json;
    EXPECT_EQ(admission.dead->event, json);
    EXPECT_EQ(admission.dead->source, "here");
  }
}

TEST(TrackingPlan, AdmitsWhatThePlanDescribes) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  const std::string json = Track(R"("anonymousId":"a-1","timestamp":"2026-03-01T09:59:00Z")");
  const Admission admitted = admission.Admit(json, Live());
  ASSERT_TRUE(admitted.ok()) << ToNdjson(*admitted.dead);
  EXPECT_EQ(admitted.head.kind, EventKind::kTrack);
  EXPECT_EQ(admitted.head.name, "add_to_cart");
  EXPECT_EQ(admitted.head.user, "ann");
  EXPECT_EQ(admitted.head.anonymous_id, "a-1");
  EXPECT_EQ(admitted.head.id, "m");
  EXPECT_EQ(admitted.head.time, kTrackingReceived - kMinute);
  EXPECT_EQ(admitted.head.received, kTrackingReceived);
  EXPECT_EQ(admitted.json.data(), json.data());
  EXPECT_TRUE(admitted.known);
}

TEST(TrackingPlan, KnowsTheSixTypes) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  constexpr struct {
    const char* json;
    EventKind kind;
    const char* name;
    const char* user;
    const char* anonymous;
  } kEvents[] = {
      {R"({"type":"page","name":"Home","anonymousId":"a"})", EventKind::kTrack, "page_viewed", "a", "a"},
      {R"({"type":"page","properties":{"name":"Home"},"userId":7})", EventKind::kTrack, "page_viewed", "7", ""},
      {R"({"type":"screen","userId":"u"})", EventKind::kTrack, "screen_viewed", "u", ""},
      {R"({"type":"identify","userId":"u","anonymousId":"a","traits":{"x":1}})", EventKind::kIdentify, "", "u", "a"},
      {R"({"type":"group","userId":"u","groupId":"g"})", EventKind::kGroup, "", "u", ""},
      {R"({"type":"alias","userId":"u","previousId":"a"})", EventKind::kAlias, "", "u", "a"},
      {R"({"type":"alias","userId":"u","anonymousId":"b"})", EventKind::kAlias, "", "u", "b"},
      {R"({"type":"track","event":"Something Else","userId":"","anonymousId":"a"})", EventKind::kTrack,
       "something_else", "a", "a"},
  };
  for (const auto& [json, kind, name, user, anonymous] : kEvents) {
    const Admission admitted = admission.Admit(json, Live());
    ASSERT_TRUE(admitted.ok()) << json << ToNdjson(*admitted.dead);
    EXPECT_EQ(admitted.head.kind, kind) << json;
    EXPECT_EQ(admitted.head.name, name) << json;
    EXPECT_EQ(admitted.head.user, user) << json;
    EXPECT_EQ(admitted.head.anonymous_id, anonymous) << json;
    EXPECT_EQ(admitted.head.time, kTrackingReceived) << json;
    EXPECT_EQ(admitted.known, name != std::string_view("something_else") && name != std::string_view("screen_viewed"));
  }
}

TEST(TrackingPlan, ThePathSaysTheTypeOfAnEvent) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  Origin origin = Live();
  origin.type = "page";
  const Admission admitted = admission.Admit(R"({"userId":"u","name":"Home"})", origin);
  ASSERT_TRUE(admitted.ok());
  EXPECT_EQ(admitted.head.name, "page_viewed");
}

TEST(TrackingPlan, RefusesEventsThatCannotBe) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  std::string deep = "1";
  for (int i = 0; i < 33; ++i) deep = "[" + deep + "]";
  ExpectRefused(
      &admission, Live(),
      {
          {"{\"type\":}", Reason::kInvalidJson, "", "expected a value at byte 8"},
          {"[1]", Reason::kNotAnObject, "", "expected an object at byte 0"},
          {"{\"a\":\"\xC0\"}", Reason::kInvalidEncoding, "", "a byte that is not UTF-8 at byte 6"},
          {"{\"a\":-1e999}", Reason::kNumberOutOfRange, "", "a number out of range at byte 5"},
          {"{\"a\":" + deep + "}", Reason::kTooDeep, "", "nested too deep at byte 36"},
          {"{\"a\":\"" + std::string(32 << 10, 'x') + "\"}", Reason::kEventTooLarge, "", "32776 bytes; at most 32768"},
          {R"({"type":"tarck"})", Reason::kUnknownType, "type",
           R"(expected track, identify, page, screen, group or alias, found string "tarck")"},
          {"{}", Reason::kUnknownType, "type", "expected track, identify, page, screen, group or alias, found missing"},
          {R"({"type":"track","userId":"u"})", Reason::kMissingField, "event", "a track needs its event's name"},
          {R"({"type":"track","userId":"u","event":{"a":1}})", Reason::kInvalidField, "event",
           R"(expected string, found object {"a":1})"},
          {R"({"type":"track","userId":"u","event":"--"})", Reason::kInvalidField, "event",
           R"(expected a name with a letter or a digit, found string "--")"},
          {R"({"type":"track","event":"e"})", Reason::kIdentityMissing, "userId", "neither userId nor anonymousId"},
          {R"({"type":"track","event":"e","userId":null,"anonymousId":" "})", Reason::kIdentityMissing, "userId",
           "neither userId nor anonymousId"},
          {R"({"type":"track","event":"e","userId":"NULL","anonymousId":"a"})", Reason::kIdentityPlaceholder, "userId",
           "\"NULL\" stands for nobody"},
          {R"({"type":"track","event":"e","userId":"u","anonymousId":"00000000-0000-0000-0000-000000000000"})",
           Reason::kIdentityPlaceholder, "anonymousId", "\"00000000-0000-0000-0000-000000000000\" stands for nobody"},
          {R"({"type":"track","event":"e","userId":["u"]})", Reason::kInvalidField, "userId",
           R"(expected string, found array ["u"])"},
          {R"({"type":"track","event":"e","userId":")" + std::string(513, 'u') + "\"}", Reason::kInvalidField, "userId",
           "513 bytes; at most 512"},
          {R"({"type":"alias","userId":"u"})", Reason::kIdentityMissing, "previousId", "an alias names both ids"},
          {R"({"type":"group","userId":"u"})", Reason::kMissingField, "groupId", "a group needs its id"},
          {Track(R"("context":"web")"), Reason::kInvalidField, "context", R"(expected object, found string "web")"},
          {Track(R"("timestamp":"soon")"), Reason::kInvalidTimestamp, "timestamp",
           R"(expected RFC 3339 or a number since the epoch, found string "soon")"},
          {Track(R"("timestamp":"2026-03-02T10:00:00.001Z")"), Reason::kTimestampOutOfRange, "timestamp",
           "2026-03-02T10:00:00.001Z is more than 1d after it was received"},
          {Track(R"("timestamp":"2016-03-03T09:59:59.999Z")"), Reason::kTimestampTooOld, "timestamp",
           "2016-03-03T09:59:59.999Z is more than 3650d before it was received"},
          {Track(R"("timestamp":1)"), Reason::kTimestampTooOld, "timestamp",
           "1970-01-01T00:00:01.000Z is more than 3650d before it was received"},
          {Track(R"("timestamp":"0001-01-01T00:00:00Z")"), Reason::kTimestampTooOld, "timestamp",
           "0001-01-01T00:00:00.000Z is more than 3650d before it was received"},
          // Whenever it is sent again, it is the same letter.
          {Track(R"("timestamp":"2006-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:05Z")"), Reason::kTimestampTooOld, "timestamp",
           "it happened 7305d 5s before it was sent; at most 3650d"},
          {Track(R"("timestamp":"2026-03-03T10:00:00Z","sentAt":"2026-03-01T10:00:00Z")"), Reason::kTimestampOutOfRange, "timestamp",
           "it happened 2d after it was sent; at most 1d"},
      });
}

TEST(TrackingPlan, ChecksPropertiesAgainstThePlan) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  ExpectRefused(
      &admission, Live(),
      {
          {AddToCart("{}"), Reason::kMissingProperty, "properties.product_id", "expected string, found nothing"},
          {AddToCart(R"({"product_id":null})"), Reason::kMissingProperty, "properties.product_id",
           "expected string, found null"},
          {AddToCart(R"({"product_id":"p","price":"12,50"})"), Reason::kInvalidProperty, "properties.price",
           R"(expected number, found string "12,50")"},
          {AddToCart(R"({"product_id":"p","quantity":2.5})"), Reason::kInvalidProperty, "properties.quantity",
           "expected integer, found number 2.5"},
          {AddToCart(R"({"product_id":"p","gift":1})"), Reason::kInvalidProperty, "properties.gift",
           "expected boolean, found number 1"},
          {AddToCart(R"({"product_id":"p","deliver_at":"monday"})"), Reason::kInvalidProperty, "properties.deliver_at",
           R"(expected time, found string "monday")"},
          {AddToCart(R"({"product_id":[")" + std::string(80, 'x') + R"("]})"), Reason::kInvalidProperty,
           "properties.product_id",
           "expected string, found array [\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"},
          {R"({"type":"page","userId":"u"})", Reason::kMissingProperty, "properties.name",
           "expected string, found nothing"},
      });
  for (const char* properties : {R"({"product_id":"p","price":12.5,"quantity":2.0,"gift":true,"other":{}})",
                                 R"({"product_id":"p","price":null,"deliver_at":"2026-03-01T10:00:00+01:00"})",
                                 R"({"product_id":"p","deliver_at":1772359200000})"}) {
    EXPECT_TRUE(admission.Admit(AddToCart(properties), Live()).ok()) << properties;
  }
}

TEST(TrackingPlan, TellsAllErrorsUpToTwenty) {
  std::string yaml = "events:\n  e:\n    properties:\n";
  for (int i = 0; i < 30; ++i) yaml += "      p" + std::to_string(i) + ": string\n";
  const Plan plan = Load(yaml);
  TrackingPlan admission(plan);
  const Admission admitted = admission.Admit(R"({"type":"track","event":"E","messageId":"m"})", Live());
  ASSERT_FALSE(admitted.ok());
  EXPECT_EQ(admitted.dead->errors.size(), 20u);
  EXPECT_EQ(admitted.dead->errors[0].reason, Reason::kIdentityMissing);
  EXPECT_EQ(admitted.dead->errors[1].reason, Reason::kMissingProperty);
  EXPECT_EQ(admitted.dead->message_id, "m");
}

TEST(TrackingPlan, UnknownEventsAreRefusedWhenThePlanSaysSo) {
  const Plan plan = Load("unknown_events: refuse\nevents:\n  add_to_cart: {}\n");
  TrackingPlan admission(plan);
  ExpectRefused(&admission, Live(),
                {
                    {R"({"type":"track","event":"add_to_crat","userId":"u"})", Reason::kUnknownEvent, "event",
                     R"(the plan has no event "add_to_crat"; did you mean "add_to_cart"?)"},
                });
  EXPECT_TRUE(admission.Admit(R"({"type":"identify","userId":"u"})", Live()).ok());
}

struct Timed {
  const char* members;
  Millis time;
};

TEST(TrackingPlan, CorrectsTheClientsClock) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  const Timed kCases[] = {
      {"", kTrackingReceived},
      {R"("timestamp":null)", kTrackingReceived},
      {R"("timestamp":"2026-03-01T09:00:00Z")", kTrackingReceived - kHour},
      {R"("timestamp":1772355600)", kTrackingReceived - kHour},
      {R"("timestamp":1772355600000)", kTrackingReceived - kHour},
      {R"("timestamp":1772355600000000)", kTrackingReceived - kHour},
      {R"("originalTimestamp":"2026-03-01T09:00:00Z")", kTrackingReceived - kHour},
      // A clock nearly a year ahead, five seconds before it sent; then one as far behind.
      {R"("timestamp":"2027-02-28T10:00:00Z","sentAt":"2027-02-28T10:00:05Z")", kTrackingReceived - 5 * kSecond},
      {R"("timestamp":"2027-02-28T10:00:00Z","originalTimestamp":"2027-02-28T10:00:01Z","sentAt":"2027-02-28T10:00:05Z")",
       kTrackingReceived - 4 * kSecond},
      {R"("timestamp":"2025-03-02T10:00:00Z","sentAt":"2025-03-02T10:00:05Z")", kTrackingReceived - 5 * kSecond},
      {R"("sentAt":"2028-03-01T10:00:05Z")", kTrackingReceived},
      {R"("timestamp":"2016-03-03T10:00:00Z")", kTrackingReceived - 3'650 * kDay},
      {R"("timestamp":"2016-03-03T10:00:00Z","sentAt":"2026-03-01T10:00:00Z")", kTrackingReceived - 3'650 * kDay},
      {R"("timestamp":"2026-03-01T09:00:00Z","sentAt":"later")", kTrackingReceived - kHour},
      {R"("timestamp":"2026-03-02T10:00:00Z")", kTrackingReceived + kDay},
  };
  for (const auto& [members, time] : kCases) {
    const Admission admitted = admission.Admit(Track(members), Live());
    ASSERT_TRUE(admitted.ok()) << members << ToNdjson(*admitted.dead);
    EXPECT_EQ(admitted.head.time, time) << members;
    EXPECT_FALSE(admitted.head.clock_ignored) << members;
  }
  Origin enveloped = Live();
  enveloped.sent_at = kTrackingReceived + kHour;
  EXPECT_EQ(admission.Admit(Track(R"("timestamp":"2026-03-01T10:59:59Z")"), enveloped).head.time, kTrackingReceived - kSecond);
}

// By its clock the event happened who knows when.
TEST(TrackingPlan, IgnoresAClockThatIsOffByMoreThanAYear) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  constexpr const char* kCases[] = {
      R"("timestamp":"2026-03-01T10:00:00Z","sentAt":"9999-01-01T00:00:00Z")",
      R"("timestamp":"9998-12-31T23:59:00Z","sentAt":"9999-01-01T00:00:00Z")",
      R"("timestamp":"0001-01-01T00:00:00Z","sentAt":"9999-01-01T00:00:00Z")",
      R"("timestamp":"0001-01-01T00:00:00Z","sentAt":"0001-01-01T00:00:00Z")",
      R"("timestamp":"1970-01-01T00:00:01Z","sentAt":1)",
      R"("originalTimestamp":"2027-03-01T10:00:00Z","sentAt":"2027-03-01T10:00:00.001Z")",
      R"("timestamp":"2025-03-01T09:00:00Z","sentAt":"2025-03-01T09:59:59.999Z")",
  };
  for (const char* members : kCases) {
    const Admission admitted = admission.Admit(Track(members), Live());
    ASSERT_TRUE(admitted.ok()) << members << ToNdjson(*admitted.dead);
    EXPECT_EQ(admitted.head.time, kTrackingReceived) << members;
    EXPECT_TRUE(admitted.head.clock_ignored) << members;
  }
  Origin enveloped = Live();
  enveloped.sent_at = kTrackingReceived + 366 * kDay;
  EXPECT_TRUE(admission.Admit(Track(R"("timestamp":"2026-03-01T09:00:00Z")"), enveloped).head.clock_ignored);
  EXPECT_FALSE(admission.Admit(Track(""), enveloped).head.clock_ignored);  // nothing was to be corrected
  // Of a history, where it is corrected.
  Origin history = Live();
  history.history = true;
  const Admission past = admission.Admit(
      Track(R"("originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"9999-01-01T00:00:00Z","receivedAt":"2020-01-01T00:00:05Z")"), history);
  ASSERT_TRUE(past.ok());
  EXPECT_EQ(FormatRfc3339(past.head.time), "2020-01-01T00:00:05.000Z");
  EXPECT_TRUE(past.head.clock_ignored);
}

// On every path of the server; a file has none.
TEST(TrackingPlan, BoundsTheTimesOfEvents) {
  const Plan plan = Load("limits: {oldest_event: 30d}");
  TrackingPlan admission(plan);
  const auto at = [](Millis time) { return Track("\"timestamp\":\"" + FormatRfc3339(time) + "\""); };
  for (const bool import : {false, true}) {
    Origin origin = Live();
    origin.history = import;
    EXPECT_TRUE(admission.Admit(at(kTrackingReceived - 30 * kDay), origin).ok());
    EXPECT_TRUE(admission.Admit(at(kTrackingReceived + kDay), origin).ok());
    ExpectRefused(&admission, origin,
                  {
                      {at(kTrackingReceived - 30 * kDay - 1), Reason::kTimestampTooOld, "timestamp",
                       "2026-01-30T09:59:59.999Z is more than 30d before it was received"},
                      {at(kTrackingReceived + kDay + 1), Reason::kTimestampOutOfRange, "timestamp",
                       "2026-03-02T10:00:00.001Z is more than 1d after it was received"},
                      {Track(R"("timestamp":"9999-12-31T23:59:59Z")"), Reason::kTimestampOutOfRange, "timestamp",
                       "9999-12-31T23:59:59.000Z is more than 1d after it was received"},
                  });
    origin.oldest_event = 31 * kDay;
    EXPECT_TRUE(admission.Admit(at(kTrackingReceived - 31 * kDay), origin).ok());
    ExpectRefused(&admission, origin,
                  {
                      {at(kTrackingReceived - 31 * kDay - 1), Reason::kTimestampTooOld, "timestamp",
                       "2026-01-29T09:59:59.999Z is more than 31d before it was received"},
                  });
  }
  Origin file = Live();
  file.history = file.file = true;
  for (const char* time : {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    EXPECT_TRUE(admission.Admit(Track("\"timestamp\":\"" + std::string(time) + "\""), file).ok());
  }
}

TEST(TrackingPlan, AHistorysTimesAreTakenAsTheyAre) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan admission(plan);
  Origin history = Live();
  history.history = true;
  history.file = true;
  const Timed kCases[] = {
      {R"("timestamp":"2036-03-01T10:00:00Z")", 2087978400000},
      {R"("timestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:09Z")", kTrackingReceived},
      {R"("originalTimestamp":"2026-03-01T10:00:00Z","sentAt":"2026-03-01T10:00:09Z","receivedAt":"2026-03-01T11:00:09Z")",
       kTrackingReceived + kHour},
      {R"("timestamp":"2026-03-01T10:00:00Z","originalTimestamp":"2020-01-01T00:00:00Z","sentAt":"2020-01-01T00:00:01Z","receivedAt":"2026-03-01T10:00:01Z")",
       kTrackingReceived},
  };
  for (const auto& [members, time] : kCases) {
    const Admission admitted = admission.Admit(Track(members), history);
    ASSERT_TRUE(admitted.ok()) << members;
    EXPECT_EQ(admitted.head.time, time) << members;
  }
  EXPECT_EQ(admission.Admit(Track(kCases[0].members), history).head.received, kCases[0].time);
  ExpectRefused(&admission, history,
                {
                    {Track(""), Reason::kTimestampMissing, "timestamp", "an event of a history says when it happened"},
                });
}

TEST(TrackingPlan, MakesIdsThatAHistoryRepeats) {
  const Plan plan = Load(kShopPlan);
  TrackingPlan first(plan);
  TrackingPlan second(plan);
  const std::string json = AddToCart(R"({"product_id":"p"})");
  const std::string live = std::string(first.Admit(json, Live()).head.id);
  EXPECT_EQ(live.size(), 32u);
  EXPECT_NE(live, first.Admit(json, Live()).head.id);
  Origin history = Live();
  history.history = true;
  history.file = true;
  const std::string dated = json.substr(0, json.size() - 1) + ",\"timestamp\":0}";
  history.source = "a/events.ndjson:17";
  const std::string id = std::string(first.Admit(dated, history).head.id);
  history.source = "b/events.ndjson:17";
  EXPECT_EQ(id, second.Admit(dated, history).head.id);
  history.source = "b/events.ndjson:18";
  EXPECT_NE(id, second.Admit(dated, history).head.id);
}

TEST(DeadLetter, IsOneLineOfJson) {
  DeadLetter letter;
  letter.source = "events.ndjson:17";
  letter.errors = {{Reason::kInvalidProperty, "properties.price", "expected number, found string \"12,50\""}};
  letter.event = "{\"a\":\n1}";
  letter.event_is_json = true;
  EXPECT_EQ(ToNdjson(letter), R"({"source":"events.ndjson:17","reason":"invalid_property","field":"properties.price",)"
                              R"("detail":"expected number, found string \"12,50\"","event":{"a": 1}})");
  letter.errors = {{Reason::kInvalidJson, "", "broken"}};
  letter.event = "{\"a\":\xFF\n";
  letter.event_is_json = false;
  EXPECT_EQ(ToNdjson(letter),
            "{\"source\":\"events.ndjson:17\",\"reason\":\"invalid_json\",\"field\":null,"
            "\"detail\":\"broken\",\"event\":\"{\\\"a\\\":\uFFFD\\n\"}");
}

}  // namespace
}  // namespace attune
