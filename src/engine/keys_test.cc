// some(…) and top(…): behaviour at the limit, and the cost of an event.
#include "engine/state/keys.h"

#include <gtest/gtest.h>

#include "engine/engine.h"
#include "plan/plan.h"

namespace attune {
namespace {

constexpr Millis kKeysBegin = 1'767'225'600'000;  // 2026-01-01

class Shop {
 public:
  explicit Shop(const std::string& plan) {
    LoadedPlan loaded = ParsePlan(plan);
    EXPECT_NE(loaded.plan, nullptr) << (loaded.problems.empty() ? "" : ToText(loaded.problems[0]));
    program_ = Program::Compile(std::move(loaded.plan));
    engine_ = std::make_unique<Engine>(program_);
  }

  void Add(const std::string& name, Millis at, const std::string& properties) {
    const std::string id = std::to_string(++events_);
    EventHead head;
    head.id = id;
    head.user = "ann";
    head.name = name;
    head.time = head.received = kKeysBegin + at;
    std::string bytes;
    EncodeEvent(head, R"({"event":")" + name + R"(","properties":)" + properties + "}", &bytes);
    RecordReader reader(program_);
    engine_->Apply(*reader.Read(bytes), &effects);
  }

  std::string Metric(Millis at) {
    const Value value = engine_->Evaluate(program_->metric_roots[0], *engine_->Find("ann"), kKeysBegin + at).value;
    return ToJson(value);
  }

  Engine& engine() { return *engine_; }
  std::shared_ptr<const Program> program() const { return program_; }
  KeyStates& keys(uint32_t i) { return *engine_->Find("ann")->keys(i); }
  std::string Bytes() {
    ByteWriter bytes;
    WriteUser(*engine_->Find("ann"), engine_->interner(), &bytes);
    return bytes.Take();
  }

  Effects effects;

 private:
  std::shared_ptr<const Program> program_;
  std::unique_ptr<Engine> engine_;
  int events_ = 0;
};

TEST(KeyStates, TheLimitForgetsThoseWhoseLastEventCameFirst) {
  Shop shop("limits: {events: 8}\nmetrics: {m: 'top(k: count(a), 20)'}");
  for (int i = 0; i < 8; ++i) shop.Add("a", i, "{\"k\":\"key " + std::to_string(i) + "\"}");
  EXPECT_EQ(shop.Metric(10), R"(["key 7","key 6","key 5","key 4","key 3","key 2","key 1","key 0"])");
  EXPECT_FALSE(shop.engine().incomplete());
  shop.Add("a", 10, R"({"k":"key 0"})");
  for (int i = 10; i < 40; ++i) shop.Add("a", i, "{\"k\":\"key " + std::to_string(i) + "\"}");
  EXPECT_LE(shop.keys(0).size(), 10u);
  shop.Metric(50);
  EXPECT_TRUE(shop.engine().incomplete());
  // Texts of forgotten keys are released: one text remains for each key.
  EXPECT_EQ(shop.engine().interner().size(), shop.keys(0).size());
}

TEST(KeyStates, AForgottenKeyThatHeldHoldsNoMore) {
  Shop shop("limits: {events: 4}\nsegments: {s: {when: 'some(k: count(a) >= 2 and count(b) = 0)'}}");
  shop.Add("a", 0, R"({"k":"x"})");
  shop.Add("a", 1, R"({"k":"x"})");
  ASSERT_EQ(shop.effects.transitions.size(), 1u);
  for (int i = 0; i < 20; ++i) shop.Add("b", 10 + i, "{\"k\":" + std::to_string(i) + "}");
  EXPECT_EQ(shop.keys(0).holding(), 0u);
  ASSERT_EQ(shop.effects.transitions.size(), 2u);
  EXPECT_FALSE(shop.effects.transitions[1].enter);
}

// An event causes only its own key to be judged, and time only the keys that are due. All others are untouched.
TEST(KeyStates, AnEventCostsItsOwnKeyAlone) {
  Shop shop("triggers: {t: {enter: 'some(k: count(a[1h]) >= 2)'}}");
  constexpr int kKeys = 1000;
  for (int i = 0; i < kKeys; ++i) shop.Add("a", i, "{\"k\":" + std::to_string(i) + "}");
  int stale = 0;
  shop.Add("a", kKeys, R"({"k":7})");
  ASSERT_EQ(shop.effects.firings.size(), 1u);
  EXPECT_EQ(shop.effects.firings[0].key, "7");
  shop.keys(0).Refresh(kKeysBegin + kKeys, [&](Key*) { ++stale; });
  EXPECT_EQ(stale, 0);
  // One hour after its first event key 7 no longer holds. No other key has two events.
  EXPECT_EQ(shop.keys(0).NextDue(), kKeysBegin + 7 + kHour);
}

TEST(KeyStates, TheBytesOfAUserAreTheSameAfterTheyWereRead) {
  Shop shop("metrics: {m: 'top(k: count(a), 3)'}\n"
            "triggers: {t: {enter: 'some(k: sequence(a -> b)[1h])', cooldown: 1h, with: {n: 'list(a.p, 3)'}}}");
  for (int i = 0; i < 50; ++i) {
    shop.Add(i % 3 == 2 ? "b" : "a", i, "{\"p\":\"text\",\"k\":\"" + std::to_string(i % 7) + "\"}");
  }
  const std::string bytes = shop.Bytes();
  Engine again(shop.program());
  ASSERT_TRUE(again.Restore("ann", bytes).ok());
  ByteWriter written;
  WriteUser(*again.Find("ann"), again.interner(), &written);
  EXPECT_EQ(written.view(), bytes);
  for (const size_t length : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
    Engine other(shop.program());
    EXPECT_FALSE(other.Restore("ann", bytes.substr(0, length)).ok());
  }
}

}  // namespace
}  // namespace attune
