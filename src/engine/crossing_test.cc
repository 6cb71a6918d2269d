// When a comparison of moving values changes without an event. The expected instants are computed by hand.
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "plan/plan.h"

namespace attune {
namespace {

constexpr Millis kCrossingBegin = 1'767'225'600'000;  // 2026-01-01

// A user with a at 0, b at ten minutes, c at fifteen.
class CrossingAnn {
 public:
  explicit CrossingAnn(const std::string& expression) {
    LoadedPlan loaded = ParsePlan("metrics: {m: '" + expression + "'}");
    EXPECT_NE(loaded.plan, nullptr) << expression << ": " << (loaded.problems.empty() ? "" : ToText(loaded.problems[0]));
    if (!loaded.plan) return;
    program_ = Program::Compile(std::move(loaded.plan));
    engine_ = std::make_unique<Engine>(program_);
    Add("a", 0, R"({"number":1,"text":"1"})");
    Add("b", 10 * kMinute, "{}");
    Add("c", 15 * kMinute, "{}");
  }

  // Until when the value stays what it is at `at`, both counted from a; kNever.
  Millis Until(Millis at) {
    if (!engine_) return kAlways;
    const Millis until = engine_->Evaluate(program_->metric_roots[0], *engine_->Find("ann"), kCrossingBegin + at).until;
    return until == kNever ? kNever : until - kCrossingBegin;
  }

 private:
  void Add(const std::string& name, Millis at, const std::string& properties) {
    EventHead head;
    head.id = name;
    head.user = "ann";
    head.name = name;
    head.time = head.received = kCrossingBegin + at;
    std::string bytes;
    EncodeEvent(head, R"({"event":")" + name + R"(","properties":)" + properties + "}", &bytes);
    RecordReader reader(program_);
    Effects effects;
    engine_->Apply(*reader.Read(bytes), &effects);
  }

  std::shared_ptr<const Program> program_;
  std::unique_ptr<Engine> engine_;
};

struct Expected {
  const char* expression;
  Millis at;
  Millis until;
};

void Check(std::initializer_list<Expected> all) {
  for (const auto& [expression, at, until] : all) EXPECT_EQ(CrossingAnn(expression).Until(at), until) << expression << " at " << at;
}

TEST(Crossing, MeetsABoundToTheMillisecond) {
  Check({
      {"since(a) >= 30m", 20 * kMinute, 30 * kMinute},
      {"since(a) + 1m > 30m", 20 * kMinute, 29 * kMinute + 1},
      {"-since(a) <= -1d", 20 * kMinute, kDay},
      {"since(a) between since(b) and 1h", 20 * kMinute, kHour + 1},
      {"abs(since(a) - 1h) <= 5m", 20 * kMinute, 55 * kMinute},
      {"abs(since(a) - 1h) <= 5m", kHour, 65 * kMinute + 1},
      {"abs(since(a) - 1h) <= 5m", 66 * kMinute, kNever},
      {"min(since(a), since(b)) > 3h", 20 * kMinute, 190 * kMinute + 1},
      {"since(a) / 1h in [1, 2, 3]", 20 * kMinute, kHour},
      {"since(a) / 1h in [1, 2, 3]", kHour, kHour + 1},
      {"round(since(a) / 1h) = 3", 20 * kMinute, 150 * kMinute},
      {"round(since(a) / 1h) = 3", 150 * kMinute, 210 * kMinute},
      {"1 / round(since(a) / 1h) > 0", 20 * kMinute, 30 * kMinute},  // null while the divisor is 0
      {"log1p(since(a) / 1h) >= 1", 20 * kMinute, 6'185'815},        // e - 1 hours are 6,185,814.58 ms
      {"since(a) / since(b) < 1.5", 20 * kMinute, 30 * kMinute + 1},
  });
}

TEST(Crossing, SkipsWhatMovesAlikeOrRests) {
  Check({
      {"since(a) - since(b) = 10m", 20 * kMinute, kNever},
      {"since(a) between 1s and since(a)", 20 * kMinute, kNever},
      {"since(b) between since(a) and since(a)", 20 * kMinute, kNever},
      {"since(a) / 1h - since(b) / 1h > 1", 20 * kMinute, kNever},
      {"abs(since(b) - 1h) - abs(since(c) - 1h) = 5m", 2 * kHour, kNever},
      {"scale(since(a) / 1h, 0, 4) = last(a.number)", 20 * kMinute, 4 * kHour},
      {"scale(since(a) / 1h, 0, 4) = last(a.number)", 5 * kHour, kNever},
      {"scale(since(a) / 1h, 0, 4) = last(a.text)", 20 * kMinute, kNever},
      {"clamp(since(a), 1h, 2h) = 1h", 20 * kMinute, kHour + 1},
      {"clamp(since(a), 1h, 2h) = 2h", 3 * kHour, kNever},
      {"coalesce(since(nothing), since(a)) >= 1h", 20 * kMinute, kHour},
      {"(since(a) - since(b)) / 10m = 1", 20 * kMinute, kNever},
      {"since(a) / (since(b) - since(b)) exists", 20 * kMinute, kNever},
      {"scale(since(b), since(a), since(c)) between 0.6 and 0.7", 20 * kMinute, kNever},
      {"scale(1h, since(b), since(a)) > 0", 20 * kMinute, 70 * kMinute},
  });
}

// Where the search cannot decide, it examines piece by piece and returns how far the outcome is certain.
TEST(Crossing, IsCertainUpToWhereItGivesUp) {
  const Millis until = CrossingAnn("since(a) / since(a) = since(b) / since(b)").Until(20 * kMinute);
  EXPECT_GT(until, 20 * kMinute + kSecond);
  EXPECT_LT(until, kNever);
}

// Next to a very large number a double has steps of 1/8, so an hour counts as reached when 15/16 of it have passed.
TEST(Crossing, CountsRoundingIn) {
  Check({{"since(a) / 1h + 1000000000000000 >= 1000000000000001", 20 * kMinute, kHour / 16 * 15}});
}

// Rounding alone decides which value is larger, and the result would differ at every millisecond. The search must end.
TEST(Crossing, IsNotLedByRoundingAlone) {
  Check({
      {"since(a) / 1h - since(b) / 1h > 0.16666666666666666", 20 * kMinute, kNever},
      {"since(a) / 7s - since(b) / 7s = since(c) / 7s - since(b) / 7s + 128.57142857142858", 20 * kMinute, kNever},
  });
}

TEST(Crossing, SeesAMovingAnchorPassAnEvent) {
  Check({
      {"count(c[since first_time(a) + since(b)]) = 1", 20 * kMinute, 25 * kMinute},
      {"count(c[5m after first_time(a) + since(b)])", 20 * kMinute, 25 * kMinute},
      {"count(c[5m after first_time(a) + since(b)])", 25 * kMinute, kNever},
      {"count(c[1m after first_time(a) + since(b)])", 20 * kMinute, 24 * kMinute},
  });
}

}  // namespace
}  // namespace attune
