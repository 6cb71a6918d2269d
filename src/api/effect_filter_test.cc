#include "api/effect_filter.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

const Plan& ShopPlan() {
  static const auto plan = ParsePlan(R"yaml(
segments:
  buyer: {when: count(purchase) >= 1}
  high_intent: {when: count(add_to_cart) >= 1}
triggers:
  cart_reminder: {enter: count(add_to_cart) >= 3}
  thanks: {on: purchase}
)yaml")
                               .plan;
  return *plan;
}

Result<EffectFilter> Parse(const std::string& query) {
  return EffectFilter::Parse(Request("GET", "/v1/stream?" + query), ShopPlan(), {"since", "token"});
}

// Which of eight effects pass: those of ann and of "b,c", each with entering and leaving buyer, entering high_intent,
// and the firing of thanks.
std::string Passing(const std::string& query) {
  const auto filter = Parse(query);
  EXPECT_TRUE(filter.ok()) << query << ": " << (filter.ok() ? "" : filter.error().message);
  if (!filter.ok()) return "";
  std::string passing;
  for (const char* user : {"ann", "b,c"}) {
    const char first = user[0];
    const auto tell = [&](EffectKind kind, const char* name, const char* told) {
      if (filter->Takes({{1, 0}, kind, false, 0, name, user, ""})) passing += std::string(1, first) + told + ' ';
    };
    tell(EffectKind::kEnter, "buyer", "+buyer");
    tell(EffectKind::kLeave, "buyer", "-buyer");
    tell(EffectKind::kEnter, "high_intent", "+high");
    tell(EffectKind::kFiring, "thanks", "!thanks");
  }
  return passing;
}

TEST(EffectFilter, WhatPasses) {
  const struct {
    const char* query;
    const char* passing;
  } cases[] = {
      {"", "a+buyer a-buyer a+high a!thanks b+buyer b-buyer b+high b!thanks "},
      {"since=0&token=k", "a+buyer a-buyer a+high a!thanks b+buyer b-buyer b+high b!thanks "},
      {"type=firing", "a!thanks b!thanks "},
      {"type=transition", "a+buyer a-buyer a+high b+buyer b-buyer b+high "},
      {"type=transition,firing&user=ann", "a+buyer a-buyer a+high a!thanks "},
      {"user=ann", "a+buyer a-buyer a+high a!thanks "},
      {"user=b%2Cc", "b+buyer b-buyer b+high b!thanks "},
      {"user=b%2Cc&user=ann&type=firing", "a!thanks b!thanks "},
      {"user=b", ""},
      {"segment=buyer", "a+buyer a-buyer b+buyer b-buyer "},
      {"segment=buyer,high_intent&user=ann", "a+buyer a-buyer a+high "},
      {"segment=buyer&segment=high_intent&user=ann", "a+buyer a-buyer a+high "},
      {"segment=buyer&change=leave", "a-buyer b-buyer "},
      {"change=enter", "a+buyer a+high b+buyer b+high "},
      {"change=enter,leave&user=ann", "a+buyer a-buyer a+high "},
      {"trigger=thanks", "a!thanks b!thanks "},
      {"trigger=cart_reminder", ""},
      {"trigger=thanks&segment=high_intent&user=ann", "a+high a!thanks "},
      {"trigger=thanks&change=leave&user=ann", "a-buyer a!thanks "},
      {"trigger=thanks&change=leave&type=transition&user=ann", "a-buyer "},
  };
  for (const auto& c : cases) EXPECT_EQ(Passing(c.query), c.passing) << c.query;
}

TEST(EffectFilter, WhatIsWrong) {
  const struct {
    const char* query;
    const char* message;
  } cases[] = {
      {"segment=high_intnt", "segment: there is no segment \"high_intnt\"; did you mean \"high_intent\"?"},
      {"segment=", "segment: there is no segment \"\""},
      {"segment=buyer,", "segment: there is no segment \"\""},
      {"trigger=thank", "trigger: there is no trigger \"thank\"; did you mean \"thanks\"?"},
      {"trigger=buyer", "trigger: there is no trigger \"buyer\""},
      {"change=entr", "change: there is no change \"entr\"; did you mean \"enter\"?"},
      {"type=transitions", "type: there is no type \"transitions\"; did you mean \"transition\"?"},
      {"segmnt=buyer", "segmnt: there is no such parameter; did you mean \"segment\"?"},
      {"type=firing&segment=buyer", "type: no firing has a segment or a change"},
      {"type=transition&trigger=thanks", "type: no transition has a trigger"},
  };
  for (const auto& c : cases) {
    const auto filter = Parse(c.query);
    ASSERT_FALSE(filter.ok()) << c.query;
    EXPECT_EQ(filter.error().message, c.message);
  }
}

}  // namespace
}  // namespace attune
