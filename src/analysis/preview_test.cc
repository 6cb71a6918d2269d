#include "analysis/preview.h"

#include <gtest/gtest.h>

#include "event/event.h"

namespace attune {
namespace {

constexpr char kShop[] = R"yaml(
metrics:
  carts: count(add_to_cart[1h])
segments:
  shopper: {when: carts >= 2}
  eager: {when: in_segment(shopper) and count(purchase) = 0}
)yaml";

constexpr Millis kNow = 100 * kDay;

// A history in memory that counts how often it is read.
class TestHistory : public StoredHistory {
 public:
  void Track(std::string_view user, std::string_view name, Millis time) { Add(EventKind::kTrack, user, user, name, time); }
  // The user was `anonymous` before.
  void Identify(std::string_view user, std::string_view anonymous, Millis time) { Add(EventKind::kIdentify, user, anonymous, "", time); }
  void Unmerge(std::string_view id, Millis time) { records_.push_back({"", std::string(id), time}); }

  Status ForEach(const std::function<bool(const HistoryRecord&)>& fn) override {
    ++readings;
    read_ = 0;
    for (const auto& [bytes, unmerged, at] : records_) {
      ++read_;
      if (!fn({bytes, unmerged, at})) return {};
    }
    return failure;
  }
  uint64_t size() const override { return records_.size(); }
  uint64_t read() const override { return read_; }

  int readings = 0;
  Status failure;

 private:
  void Add(EventKind kind, std::string_view user, std::string_view anonymous, std::string_view name, Millis time) {
    const std::string id = "m" + std::to_string(records_.size());
    EventHead head;
    head.kind = kind;
    head.id = id;
    head.user = user;
    head.anonymous_id = anonymous;
    head.name = name;
    head.time = head.received = time;
    const std::string json = user == anonymous ? R"({"anonymousId":")" + std::string(user) + R"("})"
                                               : R"({"userId":")" + std::string(user) + R"(","anonymousId":")" + std::string(anonymous) + R"("})";
    EncodeEvent(head, json, &records_.emplace_back().event);
  }

  struct Stored {
    std::string event, unmerged;
    Millis at = 0;
  };
  std::vector<Stored> records_;
  uint64_t read_ = 0;
};

class PreviewTest : public testing::Test {
 protected:
  PreviewTest() : plan_(std::move(ParsePlan(kShop).plan)) {}

  Result<Preview> Ask(const std::string& when, const char* against = nullptr, size_t sample = 10) {
    PreviewQuestion question;
    question.plan = plan_;
    ParsedExpression parsed = ParseCondition(when, *plan_);
    EXPECT_NE(parsed.expression, nullptr) << when;
    question.when = std::move(parsed.expression);
    if (against) question.against = plan_->FindSegment(against);
    question.at = kNow;
    question.sample = sample;
    return RunPreview(question, &history_, &progress_);
  }

  std::shared_ptr<const Plan> plan_;
  TestHistory history_;
  StudyProgress progress_;
};

using Users = std::vector<std::string>;

TEST_F(PreviewTest, JudgesWindowsAndAbsenceAtTheInstant) {
  history_.Track("ann", "add_to_cart", kNow - kHour + 1);  // the oldest event in [1h]
  history_.Track("bob", "add_to_cart", kNow - kHour);      // exactly an hour old: out
  history_.Track("cid", "add_to_cart", kNow - 10 * kMinute);
  history_.Track("cid", "purchase", kNow - 5 * kMinute);
  struct Case {
    const char* when;
    Users in;
  };
  for (const Case& c : {Case{"carts >= 1", {"ann", "cid"}}, Case{"carts = 0", {"bob"}},
                        Case{"add_to_cart then no purchase for 59m", {"ann", "bob"}},
                        Case{"add_to_cart then no purchase for 1h", {"bob"}},
                        Case{"add_to_cart then no purchase for 2h", {}},
                        Case{"count(any) >= 1", {"ann", "bob", "cid"}}}) {
    const auto preview = Ask(c.when);
    ASSERT_TRUE(preview.ok()) << c.when;
    EXPECT_EQ(preview->users, 3u);
    EXPECT_EQ(preview->members.size(), c.in.size()) << c.when;
    EXPECT_EQ(preview->members.Sample(), c.in) << c.when;
    EXPECT_EQ(preview->incomplete, 0u);
    EXPECT_GT(preview->state_bound, 0);
  }
}

TEST_F(PreviewTest, ComparesWithThePresentDefinition) {
  for (const char* user : {"ann", "ann", "bob", "bob", "bob", "cid"}) history_.Track(user, "add_to_cart", kNow - kMinute);
  history_.Track("dan", "purchase", kNow - kMinute);
  const auto preview = Ask("carts >= 3 or count(purchase) > 0", "shopper");
  ASSERT_TRUE(preview.ok());
  EXPECT_EQ(preview->members.Sample(), (Users{"bob", "dan"}));
  EXPECT_EQ(preview->present, 2u);
  EXPECT_EQ(preview->entering.Sample(), Users{"dan"});
  EXPECT_EQ(preview->leaving.Sample(), Users{"ann"});
  const auto same = Ask("count(add_to_cart[1h]) >= 2", "shopper");
  ASSERT_TRUE(same.ok());
  EXPECT_EQ(same->entering.size() + same->leaving.size(), 0u);
}

TEST_F(PreviewTest, RestsOnOtherSegmentsAndTheirPast) {
  history_.Track("ann", "add_to_cart", kNow - 50 * kMinute);
  history_.Track("ann", "add_to_cart", kNow - 40 * kMinute);
  history_.Track("bob", "add_to_cart", kNow - 3 * kHour);
  history_.Track("bob", "add_to_cart", kNow - 3 * kHour);
  EXPECT_EQ(Ask("in_segment(eager)")->members.Sample(), Users{"ann"});
  EXPECT_EQ(Ask("in_segment(eager) for 40m")->members.Sample(), Users{"ann"});
  EXPECT_EQ(Ask("in_segment(eager) for 41m")->members.Sample(), Users{});
  EXPECT_EQ(Ask("left(shopper[3h])")->members.Sample(), Users{"bob"});  // two hours ago
  EXPECT_EQ(Ask("left(shopper[2h])")->members.Sample(), Users{});
}

TEST_F(PreviewTest, MergesIdsOfOnePerson) {
  history_.Track("anon", "add_to_cart", kNow - 30 * kMinute);
  history_.Track("ann", "add_to_cart", kNow - 20 * kMinute);
  EXPECT_EQ(Ask("carts >= 2")->members.size(), 0u);
  history_.Identify("ann", "anon", kNow - 10 * kMinute);
  const auto preview = Ask("carts >= 2");
  EXPECT_EQ(preview->users, 1u);
  EXPECT_EQ(preview->members.Sample(), Users{"ann"});
  history_.Unmerge("anon", kNow - 5 * kMinute);
  const auto parted = Ask("carts >= 1");
  EXPECT_EQ(parted->users, 2u);
  EXPECT_EQ(parted->members.Sample(), (Users{"ann", "anon"}));
}

TEST_F(PreviewTest, JudgesAUserAheadOfTheClockAtTheLatestEvent) {
  history_.Track("ann", "add_to_cart", kNow + kHour);
  EXPECT_EQ(Ask("carts >= 1")->members.Sample(), Users{"ann"});
}

TEST_F(PreviewTest, NamesTheSameFewOfMany) {
  for (int i = 0; i < 1000; ++i) history_.Track("user" + std::to_string(i), "a", kNow);
  const auto few = Ask("count(a) = 1", nullptr, 5);
  const auto more = Ask("count(a) = 1", nullptr, 20);
  EXPECT_EQ(few->members.size(), 1000u);
  const Users five = few->members.Sample(), twenty = more->members.Sample();
  EXPECT_EQ(five.size(), 5u);
  EXPECT_TRUE(std::includes(twenty.begin(), twenty.end(), five.begin(), five.end()));
  EXPECT_EQ(Ask("count(a) = 1", nullptr, 0)->members.Sample(), Users{});
  EXPECT_EQ(Ask("count(a) = 1", nullptr, 2000)->members.Sample().size(), 1000u);
}

TEST_F(PreviewTest, BoundsTheExpressionAlone) {
  const int64_t count = Ask("count(add_to_cart[1h]) >= 2")->state_bound;
  EXPECT_EQ(Ask("count(add_to_cart[1h]) >= 2", "eager")->state_bound, count);
  EXPECT_GT(Ask("count(add_to_cart[1h]) >= 50")->state_bound, count);
}

TEST_F(PreviewTest, SaysHowFarItIsAndStopsWhenCancelled) {
  for (int i = 0; i < 10; ++i) history_.Track("ann", "a", kNow);
  ASSERT_TRUE(Ask("count(a) = 1").ok());
  EXPECT_EQ(progress_.done, 20u);
  EXPECT_EQ(progress_.total, 20u);
  EXPECT_EQ(history_.readings, 2);
  progress_.done = 0;
  progress_.cancelled = true;
  const auto cancelled = Ask("count(a) = 1");
  ASSERT_FALSE(cancelled.ok());
  EXPECT_EQ(cancelled.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(history_.readings, 3);
}

TEST_F(PreviewTest, SaysWhyAHistoryCannotBeRead) {
  history_.failure = Error{ErrorCode::kCorrupt, "torn"};
  const auto preview = Ask("count(a) = 1");
  ASSERT_FALSE(preview.ok());
  EXPECT_EQ(preview.error().message, "torn");
}

TEST(Preview, TellsLinesAndColumnsOfMistakes) {
  const auto plan = ParsePlan(kShop).plan;
  const auto problem = [&](const char* text) {
    const ParsedExpression parsed = ParseCondition(text, *plan);
    EXPECT_EQ(parsed.expression, nullptr) << text;
    return parsed.problems.empty() ? std::string() : ToText(parsed.problems.front());
  };
  EXPECT_EQ(problem("carts + 1"), "expression:1:1: expected a condition, found carts + 1, a number");
  EXPECT_TRUE(problem("carts >= 1\n  and trait.ż = \"é\" and )").starts_with("expression:2:25: "));
}

}  // namespace
}  // namespace attune
