#include "base/journal.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

constexpr Millis kNow = 1772359200123;  // 2026-03-01T10:00:00.123Z

TEST(Journal, ALineIsOneObjectWhateverClientsSend) {
  const auto json = [](std::string_view text) {
    return Journal::Line(JournalFormat::kJson, kNow, Journal::Level::kWarning, "odd", text, {});
  };
  const auto said = [](std::string_view escaped) {
    return "{\"time\":\"2026-03-01T10:00:00.123Z\",\"level\":\"warning\",\"event\":\"odd\",\"message\":\"" + std::string(escaped) + "\"}\n";
  };
  EXPECT_EQ(json("plain"), said("plain"));
  EXPECT_EQ(json("a\r\nb\x1b[31m"), said("a\\u000d\\u000ab\\u001b[31m"));
  EXPECT_EQ(json("\"},{\\"), said("\\\"},{\\\\"));
  EXPECT_EQ(json("line\xE2\x80\xA8separator \xC2\x85"), said("line\\u2028separator \\u0085"));
  EXPECT_EQ(json("\xF0\x9F\x99\x82"), said("\\ud83d\\ude42"));
  EXPECT_EQ(json("\xff\xc0\x80 \xed\xa0\x80"), said("\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd"));
  EXPECT_EQ(json(std::string_view("\0\x7f", 2)), said("\\u0000\\u007f"));
  EXPECT_EQ(json(std::string(10'000, 'x')), said(std::string(2000, 'x')));
}

TEST(Journal, FieldsAndText) {
  const Journal::Fields fields = {{"name", std::string_view("a\nb")}, {"count", int64_t{7}}, {"seconds", 1.5}, {"whole", true}};
  EXPECT_EQ(Journal::Line(JournalFormat::kJson, kNow, Journal::Level::kInfo, "ready", "", fields),
            "{\"time\":\"2026-03-01T10:00:00.123Z\",\"level\":\"info\",\"event\":\"ready\",\"name\":\"a\\u000ab\",\"count\":7,\"seconds\":1.500,"
            "\"whole\":true}\n");
  EXPECT_EQ(Journal::Line(JournalFormat::kText, kNow, Journal::Level::kError, "ready", "it is", fields),
            "2026-03-01T10:00:00.123Z error: it is name=a\\u000ab count=7 seconds=1.500 whole=true\n");
}

TEST(Journal, AThrottleCountsWhatItHoldsBack) {
  JournalThrottle throttle(2);
  int64_t held_back = -1;
  EXPECT_TRUE(throttle.Allows(1000, &held_back));
  EXPECT_TRUE(throttle.Allows(1500, &held_back));
  EXPECT_EQ(held_back, 0);
  EXPECT_FALSE(throttle.Allows(1999, &held_back));
  EXPECT_FALSE(throttle.Allows(1999, &held_back));
  EXPECT_TRUE(throttle.Allows(2000, &held_back));
  EXPECT_EQ(held_back, 2);
}

}  // namespace
}  // namespace attune
