// Expressions parsed, converted to text, and refused: sequences, keys and facts.
#include <gtest/gtest.h>

#include <string>

#include "plan/plan.h"

namespace attune {
namespace {

constexpr char kShop[] = R"yaml(
events:
  add_to_cart: {properties: {product_id: string, price: number?, cart_id: string?, at: time?}}
  purchase: {properties: {product_id: string, cart_id: string?, at: time?}}
metrics:
  best: "top(product_id: count(purchase), 3)"
  deeper: coalesce(best, null)
  visits: count(page_viewed)
segments:
  buyers: count(purchase) > 0
  vip: "true"
)yaml";

class Parser : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(shop_); }

  // The expression converted back to text, or its first problem.
  std::string Read(const std::string& text) {
    const ParsedExpression parsed = ParseExpression(text, *shop_);
    if (parsed.expression) return ToText(*parsed.expression);
    return parsed.problems.empty() ? "refused without a word" : ToText(parsed.problems.front());
  }

  std::unique_ptr<Plan> shop_ = ParsePlan(kShop).plan;
};

TEST_F(Parser, WritesWhatItReads) {
  constexpr struct { const char* text; const char* written; } kGood[] = {
      {"count(_2for1[1d])", "count(_2for1[1d])"},
      {"count((Any or purchase)[1d])", "count((_any or purchase)[1d])"},
      {"sequence(search -> product_viewed -> add_to_cart)[session]", "sequence(search -> product_viewed -> add_to_cart)[session]"},
      {"sequence(product_viewed{product_id = 'A'}=>buy_clicked)", "sequence(product_viewed{product_id = \"A\"} => buy_clicked)[ever]"},
      {"sequence(add_to_cart -> not remove_from_cart{x = 1} -> not b -> purchase within 120m)[1d]",
       "sequence(add_to_cart -> not remove_from_cart{x = 1} -> not b -> purchase within 2h)[1d]"},
      {"sequence(add_to_cart -> (b or a){q > 1} within 0s by cart_id)[7d offset 7d]",
       "sequence(add_to_cart -> (a or b){q > 1} within 0d by cart_id)[7d offset 7d]"},
      {"sequence(a -> b by context.page.\"x y\")[since last_time(c)]",
       "sequence(a -> b by context.page.\"x y\")[since last_time(c[ever])]"},
      {"depth(a -> b -> not c -> d)[today] >= 2", "depth(a -> b -> not c -> d)[today] >= 2"},
      {"matches(a => b)[2026-01-01T00:00:00Z .. 2026-02-01T00:00:00Z] + 1 = 2",
       "(matches(a => b)[2026-01-01T00:00:00.000Z .. 2026-02-01T00:00:00.000Z] + 1) = 2"},
      {"some(cart_id: add_to_cart then no purchase for 30m)",
       "some(cart_id: since(add_to_cart[ever]) >= 30m and count(purchase[since last_time(add_to_cart[ever])]) = 0)"},
      {"some(context.\"device id\": sequence(a -> b)[1h] and in_segment(vip)) and visits > 1",
       "some(context.\"device id\": sequence(a -> b)[1h] and in_segment(vip)) and visits > 1"},
      {"top(product_id: count(product_viewed[7d]) * 2 + visits, 5) contains \"A\"",
       "top(product_id: (count(product_viewed[7d]) * 2) + visits, 5) contains \"A\""},
      {"not in_segment(vip) for 72h or in_segment('vip') for 90m", "not in_segment(vip) for 3d or in_segment(vip) for 90m"},
      {"entered(buyers[7d]) and not left(buyers) and left(vip[30d after first_time(any)])",
       "entered(buyers[7d]) and not left(buyers[ever]) and left(vip[30d after first_time(any[ever])])"},
      {"consent(email) and consent(\"ad storage\") and score(churn) > 0.5 and cluster(styles) in [1, \"a\"]",
       "consent(email) and consent(\"ad storage\") and score(churn) > 0.5 and cluster(styles) in [1, \"a\"]"},
  };
  for (const auto& [text, written] : kGood) {
    const std::string once = Read(text);
    EXPECT_EQ(once, written) << text;
    EXPECT_EQ(Read(once), once) << text;
  }
}

// Alternatives that have filters of their own.
TEST_F(Parser, WritesAlternativesOfASelector) {
  constexpr struct { const char* text; const char* written; } kGood[] = {
      {"count((a{v > 1} or b){k = 'x'}[7d])", "count((b or a{v > 1}){k = \"x\"}[7d])"},
      {"count((a{v > 1} or c or b))", "count((b or c or a{v > 1})[ever])"},
      {"count((a or (b or c)){k = 1})", "count((a or b or c){k = 1}[ever])"},
      {"count((a{v > 1} or ((b) or c{v > 2})))", "count((b or a{v > 1} or c{v > 2})[ever])"},
      {"count(((a or b){v > 1} or c){k = 1})", "count((c or (a or b){v > 1}){k = 1}[ever])"},
      {"count(((a{v > 1} or b){k = 1} or c){q = 2}.p[1d])", "count((c or (b or a{v > 1}){k = 1}){q = 2}.p[1d])"},
      {"count((a{v > 1}))", "count(a{v > 1}[ever])"},
      {"count(((a)))", "count(a[ever])"},
      {"count((a{v > 1}){k = 1})", "count((a{v > 1}){k = 1}[ever])"},
      {"count((any{v > 1} or b){k = 1})", "count((b or any{v > 1}){k = 1}[ever])"},
      {"count((any or b{v > 1}){k = 1})", "count(any{k = 1}[ever])"},
      {"count((a{v > 1} or a{v = 0}))", "count((a{v > 1} or a{v = 0})[ever])"},
      {"max((a{v > 1} or b).p[1d])", "max((b or a{v > 1}).p[1d])"},
      {"periods((a{v > 1} or b){k = 1}, 7d, 4)", "periods((b or a{v > 1}){k = 1}, 7d, 4)"},
      {"(a{v > 1} or b){k = 1} then no (c{v > 2} or d) for 30m",
       "since((b or a{v > 1}){k = 1}[ever]) >= 30m and "
       "count((d or c{v > 2})[since last_time((b or a{v > 1}){k = 1}[ever])]) = 0"},
      {"sequence((a{v > 1} or b) -> not (b or any{x = 1}) -> (c{v > 1} or d){k = 1} within 1h by k)[1d]",
       "sequence((b or a{v > 1}) -> not (b or any{x = 1}) -> (d or c{v > 1}){k = 1} within 1h by k)[1d]"},
      {"some(cart_id: count((a{v > 1} or b){k = 1}) > 1)", "some(cart_id: count((b or a{v > 1}){k = 1}[ever]) > 1)"},
  };
  for (const auto& [text, written] : kGood) {
    const std::string once = Read(text);
    EXPECT_EQ(once, written) << text;
    EXPECT_EQ(Read(once), once) << text;
  }
  const auto selector = ParseSelector("(a{v > 1} or b){k = 'x'}", *shop_).selector;
  ASSERT_TRUE(selector);
  EXPECT_EQ(selector->names, (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(selector->alternatives.size(), 2u);
  EXPECT_FALSE(selector->alternatives[0].filter);
  EXPECT_TRUE(selector->alternatives[1].filter);
}

TEST_F(Parser, FindsMistakesInAlternatives) {
  constexpr struct { const char* text; const char* problem; } kBad[] = {
      {"count((a{v > 1} or ){k = 1})", "20: expected the name of an event, found \")\""},
      {"count((a{v > 1} b){k = 1})", "17: expected \")\", found \"b\""},
      {"count((a{v > 1} and b)[1d])", "17: expected \")\", found \"and\""},
      {"count((add_to_cart{price = 'x'} or b)[1d])", "28: expected a number to compare with price, found \"x\", a string"},
      {"count((add_to_cart{price > 1} or purchase){product_id > 2})", "57: expected a string to compare with product_id, found 2, a number"},
      {"count((a{count(b) > 1} or b))", "10: count(…) reads the history; inside braces only the event's own properties are available"},
      {"count((… or a{v > 1}))", "8: expected the name of an event, which has a letter or a digit, found \"…\""},
      {"count((a{v > 1}or b){k = 1}", "28: expected \")\", found the end"},
  };
  for (const auto& [text, problem] : kBad) {
    EXPECT_EQ(Read(text), std::string("expression:1:") + problem) << text;
  }
  std::string deep = "a{v > 1}";
  for (int i = 0; i < 250; ++i) deep = "(" + deep + " or b)";
  EXPECT_EQ(Read("count(" + deep + ")"), "expression:1:204: the expression is nested too deeply");
}

// The same as for names outside alternatives.
TEST_F(Parser, WarnsOfUnknownEventsInAlternatives) {
  const ParsedExpression parsed = ParseExpression("count((add_to_crt{v > 1} or purchas){k = 1}) > 1", *shop_);
  EXPECT_TRUE(parsed.expression);
  std::string problems;
  for (const Problem& problem : parsed.problems) problems += ToText(problem) + "\n";
  EXPECT_EQ(problems,
            "expression:1:8: warning: the plan declares no event \"add_to_crt\"; did you mean \"add_to_cart\"?\n"
            "expression:1:29: warning: the plan declares no event \"purchas\"; did you mean \"purchase\"?\n");
  const auto strict = ParsePlan("unknown_events: refuse\nevents: {add_to_cart: {properties: {price: number?}}}\n").plan;
  const ParsedExpression refused = ParseExpression("count((add_to_cart{prize > 1} or purchase{k = 1})) > 1", *strict);
  EXPECT_FALSE(refused.expression);
  problems.clear();
  for (const Problem& problem : refused.problems) problems += ToText(problem) + "\n";
  EXPECT_EQ(problems,
            "expression:1:20: warning: the plan declares no property \"prize\" of add_to_cart; did you mean \"price\"?\n"
            "expression:1:34: the plan refuses unknown events and declares no event \"purchase\"\n");
}

TEST_F(Parser, HoldsASequenceStepByStep) {
  const ParsedExpression parsed =
      ParseExpression("sequence(add_to_cart -> not b -> purchase within 2h => (c or d) by at)[1d]", *shop_);
  ASSERT_TRUE(parsed.expression);
  const Expression& e = *parsed.expression;
  EXPECT_EQ(e.type, Type::kBool);
  ASSERT_EQ(e.steps.size(), 4u);
  EXPECT_TRUE(e.steps[1].negated);
  EXPECT_EQ(e.steps[1].within, kNever);
  EXPECT_EQ(e.steps[2].within, 2 * kHour);
  EXPECT_FALSE(e.steps[2].immediate);
  EXPECT_TRUE(e.steps[3].immediate);
  EXPECT_EQ(e.steps[3].selector.names, (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(e.by.keys, (std::vector<std::string>{"at"}));
  EXPECT_FALSE(e.by.is_time);  // not every step declares it as a time
  EXPECT_TRUE(ParseExpression("sequence(add_to_cart -> purchase by at)", *shop_).expression->by.is_time);
  EXPECT_EQ(e.window.length, kDay);
}

TEST_F(Parser, ReportsMistakesWithPositions) {
  constexpr struct { const char* text; const char* problem; } kBad[] = {
      {"sequence(not a -> b)", "10: the first step of sequence(…) must be positive; \"not\" belongs between two positive steps"},
      {"depth(a -> not b)", "17: the last step of depth(…) must be positive; \"not\" belongs between two positive steps"},
      {"sequence(a => not b -> c)", "12: no event lies between an event and the very next one; expected \"->\" next to \"not\""},
      {"sequence(a -> not b => c)", "21: no event lies between an event and the very next one; expected \"->\" next to \"not\""},
      {"sequence(a within 1h -> b)", "12: \"within\" counts from the previous step; the first step of sequence(…) has none"},
      {"sequence(a -> not b within 1h -> c)", "21: \"within\" belongs after a positive step; expected it after the next one"},
      {"sequence(a -> b within 5)", "24: expected a duration, such as 2h, found \"5\""},
      {"sequence(a -> b[7d])", "16: the window of sequence(…) belongs after its \")\""},
      {"sequence(a -> b by)", "19: expected a property, as in by cart_id, found \")\""},
      {"sequence(Product Viewed)", "18: expected \"->\", \"=>\", \"within\", \"by\" or \")\", found \"Viewed\""},
      {"sequence(a -> not (b or any{x = }) -> c)[1d]", "33: expected a value, found \"}\""},
      {"sequence(a, b)", "11: expected \"->\", \"=>\", \"within\", \"by\" or \")\", found \",\""},
      {"sequence(a -> )", "15: expected the name of an event, found \")\""},
      {"count(…[1d]) > 0", "7: expected the name of an event, which has a letter or a digit, found \"…\""},
      {"a then no … for 1h", "11: expected the name of an event, which has a letter or a digit, found \"…\""},
      {"sequence(a -> b)[7x]", "18: \"x\" is not a unit of time; expected ms, s, m, h, d or w"},
      {"sequence(a -> b) > 1", "20: expected a boolean to compare with sequence(a -> b)[ever], found 1, a number"},
      {"matches(a -> b) and true", "1: expected a boolean beside \"and\", found matches(a -> b)[ever], a number"},
      {"seqence(a -> b)", "1: there is no function \"seqence\"; did you mean \"sequence\"?"},
      {"count(any{depth(a -> b) > 1})", "11: depth(…) reads the history; inside braces only the event's own properties are available"},
      {"sequence(a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a->a)",
       "104: sequence(…) has more than 32 steps"},
      {"some(count(a) > 1)", "11: expected \":\" after the property, as in some(cart_id: …), found \"(\""},
      {"some(: true)", "6: expected a property and \":\", as in some(cart_id: …), found \":\""},
      {"some(cart_id: count(a))", "15: expected a boolean in some(…), found count(a[ever]), a number"},
      {"top(cart_id: true, 3)", "14: expected a number in top(…), found true, a boolean"},
      {"top(cart_id: count(a))", "22: expected \",\", found \")\""},
      {"top(cart_id: count(a), 0)", "24: expected how many values to list, 1 to 1000, found \"0\""},
      {"some(cart_id: some(order_id: count(a) > 1))",
       "15: some(…) cannot be used within some(…): every event there has one value of one property already"},
      {"top(cart_id: coalesce(count(a), top(x: count(b), 2)), 2)",
       "33: top(…) cannot be used within top(…): every event there has one value of one property already"},
      {"some(cart_id: best contains \"A\")",
       "15: the metric \"best\" holds some(…) or top(…), which cannot be used within some(…)"},
      {"some(cart_id: deeper contains \"A\")",
       "15: the metric \"deeper\" holds some(…) or top(…), which cannot be used within some(…)"},
      {"in_segment(buyer) for 3d", "12: there is no segment \"buyer\"; did you mean \"buyers\"?"},
      {"in_segment(buyers) for 3", "24: expected a duration, such as 3d, found \"3\""},
      {"in_segment(buyers) for 0d", "24: expected a duration, such as 3d, found \"0d\""},
      {"entered(buyrs[7d])", "9: there is no segment \"buyrs\"; did you mean \"buyers\"?"},
      {"entered(buyers[session])",
       "15: a session consists of events, not changes of membership; expected a span of time for entered(…), such as [7d] or "
       "[today], found [session]"},
      {"left(7d)", "6: expected the name of a segment, found \"7d\""},
      {"consent()", "9: expected the name of a purpose, found \")\""},
      {"score(0.5) > 1", "7: expected the name of a model, found \"0.5\""},
      {"score(m) = \"high\"", "12: expected a number to compare with score(m), found \"high\", a string"},
      {"concent(email)", "1: there is no function \"concent\"; did you mean \"consent\"?"},
  };
  for (const auto& [text, problem] : kBad) EXPECT_EQ(Read(text), std::string("expression:1:") + problem) << text;
}

TEST_F(Parser, WarnsOfAKeyThatIsNearlyAProperty) {
  const ParsedExpression parsed = ParseExpression("some(card_id: count(a) > 1)", *shop_);
  EXPECT_TRUE(parsed.expression);
  ASSERT_EQ(parsed.problems.size(), 1u);
  EXPECT_EQ(ToText(parsed.problems[0]), "expression:1:6: warning: the plan declares no property \"card_id\"; did you mean \"cart_id\"?");
}

}  // namespace
}  // namespace attune
