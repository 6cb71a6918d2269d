// Sequences, against values worked out by hand from docs/language.md.
#include "oracle/question_testing.h"

namespace attune::oracle {
namespace {

class SequenceTest : public Asking {
 protected:
  void SetUp() override { Load("timezone: UTC\nsessions: {gap: 500ms}\n"); }
};

TEST_F(SequenceTest, LaterIsAnyEventLater) {
  Event("a", 1000);
  Event("x", 1100);
  Event("b", 1200);
  AskAll({
      {1199, "sequence(a -> b)", "false"},
      {1200, "sequence(a -> b)", "true"},
      {1200, "sequence(b -> a)", "false"},
      {1200, "sequence(a -> x -> b)", "true"},
      {1200, "sequence(a -> a)", "false"},  // an event matches only one step
      {1200, "sequence(any -> any -> any)", "true"},
      {1200, "sequence(any -> any -> any -> any)", "false"},
      {1200, "sequence(a)", "true"},
      {1200, "sequence((b or x) -> b)", "true"},
  });
}

TEST_F(SequenceTest, OfOneMillisecondTheLogSaysWhatIsLater) {
  Event("a", 1000);
  Event("b", 1000);
  AskAll({{1000, "sequence(a -> b within 0ms)", "true"}, {1000, "sequence(b -> a)", "false"}});
}

TEST_F(SequenceTest, TheWindowHoldsEveryStep) {
  Event("a", 1000);
  Event("b", 1200);
  AskAll({
      {1299, "sequence(a -> b)[300ms]", "true"},
      {1300, "sequence(a -> b)[300ms]", "false"},  // a is exactly 300ms old: out
      {1300, "sequence(b)[300ms]", "true"},
      {1700, "sequence(a -> b)[session]", "true"},
      {1701, "sequence(a -> b)[session]", "false"},
      {1701, "sequence(a -> b)[last_session]", "true"},
      {9999, "sequence(a -> b)[since first_time(a)]", "false"},
      {9999, "sequence(a -> b)[200ms after first_time(a) - 1ms]", "false"},
      {9999, "sequence(a -> b)[201ms after first_time(a) - 1ms]", "true"},
  });
}

TEST_F(SequenceTest, TheVeryNextEventIsOfAnyName) {
  Event("a", 1000);
  Event("x", 1100);
  Event("a", 1200);
  Event("b", 1300);
  AskAll({
      {1300, "sequence(x => b)", "false"},
      {1300, "sequence(a => b)", "true"},  // the second a
      {1300, "sequence(a => x => a => b)", "true"},
      {1300, "sequence(a => x => b)", "false"},
      {1300, "sequence(a{n = 1} => b)", "false"},
  });
}

TEST_F(SequenceTest, FactsAreNotTheVeryNext) {
  Event("a", 1000);
  Identify(1100, "{}");
  Event("b", 1200);
  EXPECT_EQ(Ask("sequence(a => b)", 1200), "true");
}

TEST_F(SequenceTest, NothingForbiddenLiesBetween) {
  Event("a", 1000);
  Event("x", 1100);
  Event("b", 1200);
  Event("y", 1250);
  Event("c", 1300);
  AskAll({
      {1300, "sequence(a -> not x -> b)", "false"},
      {1300, "sequence(a -> not y -> b)", "true"},
      {1300, "sequence(a -> not y -> c)", "false"},
      {1300, "sequence(a -> b -> not x -> c)", "true"},
      {1300, "sequence(a -> not z -> not y -> c)", "false"},
      {1300, "sequence(b -> not x -> c)", "true"},
      {1300, "sequence(a -> not (b or z) -> c)", "false"},
      {1300, "sequence(a -> not a -> c)", "true"},  // the neighbours themselves do not count
  });
  // Another a, after the forbidden event.
  Event("a", 1150);
  EXPECT_EQ(Ask("sequence(a -> not x -> b)", 1300), "true");
}

TEST_F(SequenceTest, WithinIncludesItsEnd) {
  Event("a", 1000);
  Event("x", 1100);
  Event("b", 1200);
  AskAll({
      {1200, "sequence(a -> b within 200ms)", "true"},
      {1200, "sequence(a -> b within 199ms)", "false"},
      {1200, "sequence(a -> x -> b within 100ms)", "true"},  // from x, the previous step
      {1200, "sequence(a -> x within 99ms -> b)", "false"},
      {1200, "sequence(a -> not y -> b within 199ms)",
       "false"},  // from a: a `not` step does not count as previous
  });
}

TEST_F(SequenceTest, ByAsksForOneValue) {
  Event("a", 1000, R"({"k":1})");
  Event("a", 1100, R"({"k":"1"})");
  Event("b", 1200, R"({"k":2})");
  Event("x", 1250, R"({"k":2})");
  Event("x", 1260);
  Event("b", 1300, R"({"k":1.0})");
  Event("b", 1400);
  Event("a", 1500);
  Event("b", 1600);
  AskAll({
      {1200, "sequence(a -> b by k)", "false"},
      {1300, "sequence(a -> b by k)", "true"},
      {1300, "sequence(a -> not x -> b by k)", "true"},  // the x have another value, or none
      {1300, "sequence(a -> not x -> b)", "true"},       // b at 1200
      {1300, "sequence(a -> not x{k exists} -> b{k = 1})", "false"},
      {1300, "sequence(x => b by k)", "false"},  // the very next event has another value
      {1600, "matches(a -> b by k)", "1"},       // events without the property match nothing
      {1600, "depth(x -> b -> a by k)", "1"},
      {1600, "sequence(b by k)", "true"},
  });
}

TEST_F(SequenceTest, ByMayBeAPathOrTheContext) {
  history_->Add(Track("p", "ann", "a", 1000, R"({"cart":{"id":7}})", R"({"page":{"path":"/x"}})"));
  history_->Add(Track("q", "ann", "b", 1100, R"({"cart":{"id":7}})", R"({"page":{"path":"/y"}})"));
  AskAll({{1100, "sequence(a -> b by cart.id)", "true"},
          {1100, "sequence(a -> b by context.page.path)", "false"}});
}

TEST_F(SequenceTest, DepthIsTheFurthestStepOfAnyRun) {
  EXPECT_EQ(Ask("depth(a -> b -> c)", 999), "0");
  Event("a", 1000);
  Event("c", 1050);
  Event("x", 1100);
  Event("b", 1200);
  AskAll({
      {1000, "depth(a -> b -> c)", "1"},
      {1100, "depth(a -> b -> c)", "1"},  // c before b does not count
      {1200, "depth(a -> b -> c)", "2"},
      {1200, "depth(b -> a)", "1"},
      {1200, "depth(z -> a)", "0"},
      {1200, "depth(a -> not x -> b -> c)", "1"},  // a `not` step does not count
      {1200, "depth(a -> not y -> b -> c)", "2"},
      {1300, "depth(a -> b -> c)[250ms]", "0"},  // a has left the window, and b alone does not match the first step
      {1300, "depth(b -> c)[250ms]", "1"},
  });
}

TEST_F(SequenceTest, MatchesDoNotOverlap) {
  for (const auto& [name, time] : {std::pair("a", 1000),
                                   {"a", 1100},
                                   {"b", 1200},
                                   {"b", 1300},
                                   {"a", 1400},
                                   {"x", 1450},
                                   {"b", 1500}}) {
    Event(name, time);
  }
  AskAll({
      {1199, "matches(a -> b)", "0"},
      {1200, "matches(a -> b)", "1"},
      {1300, "matches(a -> b)", "1"},
      {1500, "matches(a -> b)", "2"},
      {1500, "matches(a => b)", "1"},
      {1500, "matches(a -> not x -> b)", "1"},
      {1500, "matches(a)", "3"},
      {1500, "matches(any -> any)", "3"},  // seven events
      {1500, "matches(a -> b)[400ms]", "1"},
      {1500, "matches(a -> a -> b)", "1"},
  });
}

// The match that ends first counts, even if another begins earlier.
TEST_F(SequenceTest, MatchesTakeWhatEndsFirst) {
  for (const auto& [name, time, k] : {std::tuple("a", 1000, R"({"k":1})"),
                                      {"a", 1100, R"({"k":2})"},
                                      {"b", 1200, R"({"k":2})"},
                                      {"b", 1300, R"({"k":1})"},
                                      {"a", 1400, R"({"k":1})"},
                                      {"b", 1500, R"({"k":1})"}}) {
    Event(name, time, k);
  }
  AskAll({
      {1300, "matches(a -> b by k)", "1"},  // 1100 to 1200; the a of 1000 is before its last event
      {1500, "matches(a -> b by k)", "2"},
  });
}

TEST_F(SequenceTest, KeysRestrictTheStepsButNotWhatIsVeryNext) {
  Event("a", 1000, R"({"k":1})");
  Event("x", 1100, R"({"k":2})");
  Event("b", 1200, R"({"k":1})");
  AskAll({
      {1200, "some(k: sequence(a -> b))", "true"},
      {1200, "some(k: sequence(a => b))", "false"},
      {1200, "some(k: sequence(a -> not x -> b))", "true"},
      {1200, "sequence(a -> not x -> b)", "false"},
      {1200, "some(k: sequence(x -> b))", "false"},
  });
}

}  // namespace
}  // namespace attune::oracle
