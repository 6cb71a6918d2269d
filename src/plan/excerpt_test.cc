#include "plan/excerpt.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

constexpr char kExcerptPlan[] = R"yaml(
timezone: Europe/Warsaw
sessions: {gap: 20m, max: 12h}
metrics:
  carts: count(add_to_cart[1d])
  twice: carts * 2
  all: count(any)
segments:
  shopper: {when: carts >= 1}
  regular: {when: in_segment(shopper) for 2h}
  other: {when: all >= 3}
)yaml";

std::vector<std::string> NamesIn(const auto& definitions) {
  std::vector<std::string> names;
  for (const auto& definition : definitions) names.push_back(definition.name);
  return names;
}

class ExcerptTest : public testing::Test {
 protected:
  ExcerptTest() : plan_(std::move(ParsePlan(kExcerptPlan).plan)) {}

  std::shared_ptr<const Plan> Ask(const std::string& text) {
    ParsedExpression parsed = ParseExpression(text, *plan_);
    EXPECT_NE(parsed.expression, nullptr) << text;
    std::vector<Metric> asked;
    asked.push_back({"the question", std::move(parsed.expression), {}});
    return Excerpt(*plan_, std::move(asked));
  }

  std::unique_ptr<Plan> plan_;
};

TEST_F(ExcerptTest, HoldsWhatTheQuestionRestsOnAndNoMore) {
  using List = std::vector<std::string>;
  struct Case {
    const char* asked;
    List metrics, segments;
  };
  for (const Case& c : {Case{"count(any) > 1", {"the question"}, {}}, Case{"twice > 1", {"carts", "the question", "twice"}, {}},
                        Case{"in_segment(regular)", {"carts", "the question"}, {"regular", "shopper"}},
                        Case{"count(any[1d after coalesce(first_time(a), last_time(b))]) > twice", {"carts", "the question", "twice"}, {}},
                        Case{"left(other[1d])", {"all", "the question"}, {"other"}}}) {
    const auto excerpt = Ask(c.asked);
    EXPECT_EQ(NamesIn(excerpt->metrics), c.metrics) << c.asked;
    EXPECT_EQ(NamesIn(excerpt->segments), c.segments) << c.asked;
    EXPECT_EQ(excerpt->timezone, "Europe/Warsaw");
    EXPECT_EQ(excerpt->session_gap, 20 * kMinute);
    EXPECT_EQ(excerpt->session_max, 12 * kHour);
  }
}

TEST_F(ExcerptTest, SaysWhatRestsOnASegment) {
  const auto rests = [&](const std::string& text, const char* segment) {
    return RestsOnSegment(*ParseExpression(text, *plan_).expression, *plan_, segment);
  };
  EXPECT_TRUE(rests("in_segment(regular)", "regular"));
  EXPECT_TRUE(rests("in_segment(regular)", "shopper"));
  EXPECT_FALSE(rests("in_segment(regular)", "other"));
  EXPECT_FALSE(rests("carts > 1", "shopper"));
}

TEST_F(ExcerptTest, AClonedExpressionOwnsItsText) {
  ParsedExpression parsed = ParseExpression(
      "count((add_to_cart or purchase){kind in [\"a\", \"b\"] and name matches \"x.*\"}[2h after first_time(any{t = \"q\"})]) > 1 and "
      "sequence(a{u = \"v\"} -> not b -> c within 2h by d)[1d] and some(card: count(e{f != \"g\"}) > 1) and trait.name = \"long enough to live on the heap\"",
      *plan_);
  ASSERT_NE(parsed.expression, nullptr) << (parsed.problems.empty() ? "" : ToText(parsed.problems[0]));
  const std::string text = ToText(*parsed.expression);
  const ExpressionPtr clone = Clone(*parsed.expression);
  parsed.expression.reset();
  EXPECT_EQ(ToText(*clone), text);
}

}  // namespace
}  // namespace attune
