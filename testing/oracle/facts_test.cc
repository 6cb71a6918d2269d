// Keys, past memberships and consent, against values worked out by hand from docs/language.md.
#include "oracle/question_testing.h"

namespace attune::oracle {
namespace {

class FactsTest : public Asking {
 protected:
  void Consent(Millis time, const char* purposes) {
    history_->Add(Fact(EventKind::kIdentify, "c" + std::to_string(time), "ann", time, "",
                       ConsentContext(purposes)));
  }
};

TEST_F(FactsTest, SomeHoldsForOneValue) {
  Load("timezone: UTC\nsegments: {often: 'count(a) >= 3'}\nmetrics: {adds: count(a)}\n");
  Event("a", 1000, R"({"k":1})");
  Event("a", 1100, R"({"k":2})");
  Event("a", 1200);
  Event("a", 1300, R"({"k":2.0})");
  Event("b", 1400, R"({"k":"3"})");
  AskAll({
      {1200, "some(k: count(a) >= 2)", "false"},
      {1300, "some(k: count(a) >= 2)", "true"},
      {1300, "some(k: count(a) >= 3)", "false"},
      {1300, "some(k: count(any) >= 3)", "false"},  // any is restricted too
      {1300, "some(k: adds = 1)", "true"},          // and the definition of a metric
      {1300, "some(k: adds = 4)", "false"},
      {1300, "some(k: in_segment(often))", "true"},  // a segment is not
      {1300, "some(k: periods(a, 1s, 1) = 1 and count(a) = 1)", "true"},
      {1300, "some(k: count(b) = 0)", "true"},
      {1300, "some(k: count(a) = 0)", "false"},  // only values that the user has are tried
      {1400, "some(k: count(a) = 0)", "true"},
      {999, "some(k: true)", "false"},
      {1000, "some(k: true)", "true"},
      {1400, "some(missing: true)", "false"},
  });
}

TEST_F(FactsTest, KeysAreOfAnyEventAndAnyPlainType) {
  Load("timezone: UTC\n");
  Event("a", 1000, R"({"k":null})");
  Event("a", 1100, R"({"k":[1]})");
  Event("a", 1200, R"({"k":{"x":false}})");
  AskAll({
      {1200, "some(k: true)", "false"},
      {1200, "some(k.x: count(a) = 1)", "true"},
  });
  history_->Add(Track("ctx", "ann", "b", 1300, "", R"({"device":{"id":"d"}})"));
  AskAll({{1300, "some(context.device.id: count(b) = 1 and count(a) = 0)", "true"}});
}

TEST_F(FactsTest, WhatIsNoSelectorIsNotRestricted) {
  Load("timezone: UTC\nsessions: {gap: 150ms}\n");
  Identify(900, R"({"plan":"x"})");
  Event("a", 1000, R"({"k":1})");
  Event("a", 1100, R"({"k":2})");
  AskAll({
      {1100, "some(k: count(a) = 1 and trait.plan = \"x\")", "true"},
      {1100, "some(k: duration([session]) = 100ms and count(a) = 1)", "true"},
      {1100, "some(k: count(a[session]) = 2)", "false"},
      {1100, "some(k: sessions([ever]) = 1 and count(a) = 1)", "true"},
      {1100, "some(k: count(any[since first_time(a)]) = 0 and count(a) = 1)",
       "true"},  // the anchor is restricted
      {1100, "some(k: count(any[since first_time(a)]) = 1)", "false"},
  });
}

TEST_F(FactsTest, TopRanksTheValues) {
  Load("timezone: UTC\n");
  Event("a", 1000, R"({"k":"x"})");
  Event("a", 1100, R"({"k":"y"})");
  Event("a", 1200, R"({"k":"y"})");
  Event("a", 1300, R"({"k":"z","n":5})");
  Event("b", 1400, R"({"k":"w"})");
  AskAll({
      {999, "top(k: count(a), 3)", "null"},
      {1200, "top(k: count(a), 3)", R"(["y","x"])"},
      {1300, "top(k: count(a), 3)", R"(["y","z","x"])"},  // among equals the latest
      {1300, "top(k: count(a), 1)", R"(["y"])"},
      {1400, "top(k: count(a), 9)", R"(["y","z","x"])"},  // w has zero
      {1400, "top(k: sum(a.n), 9)", R"(["z"])"},
      {1400, "top(k: avg(a.n), 9)", R"(["z"])"},  // null for the others
      {1400, "top(k: 0 - count(a), 9)", R"(["z","x","y"])"},
      {1400, "top(k: count(a[150ms]), 9)", R"(["z"])"},
      {1400, "top(k: count(a), 2) contains \"z\"", "true"},
      {9999, "top(k: count(a[1s]), 2)", "null"},
  });
  Event("b", 1500, R"({"k":"x"})");
  EXPECT_EQ(Ask("top(k: count(a), 3)", 1500),
            R"(["y","x","z"])");  // x was seen again, in another event
}

TEST_F(FactsTest, MinusZeroIsTheSameKeyAsZero) {
  Load("timezone: UTC\n");
  Event("a", 1000, R"({"k":0})");
  Event("a", 1100, R"({"k":-0.0})");
  AskAll({{1100, "top(k: count(a), 3)", "[0]"}, {1100, "some(k: count(a) = 2)", "true"}});
}

TEST_F(FactsTest, MembershipForAWhileHoldsAtExactlyThen) {
  Load("timezone: UTC\nsegments: {s: 'count(a[500ms]) >= 1', t: 'true'}\n");
  Event("a", 1000);
  Event("a", 1400);
  AskAll({
      {1299, "in_segment(s) for 300ms", "false"},
      {1300, "in_segment(s) for 300ms", "true"},  // entry + 300ms
      {1899, "in_segment(s) for 899ms", "true"},
      {1899, "in_segment(s) for 900ms", "false"},
      {1900, "in_segment(s) for 1ms", "false"},   // left at 1900
      {1500, "in_segment(t) for 500ms", "true"},  // a member since the first record, not before
      {1499, "in_segment(t) for 500ms", "false"},
  });
  Event("a", 1950);
  AskAll({
      {1960, "in_segment(s) for 10ms", "true"},
      {1960, "in_segment(s) for 11ms", "false"},  // the break counts
  });
}

TEST_F(FactsTest, ChangesAreSeenThroughWindows) {
  Load("timezone: UTC\nsegments: {s: 'count(a[500ms]) >= 1', t: 'true', f: 'false'}\n");
  Event("a", 1000);
  Event("b", 5000);
  AskAll({
      {1000, "entered(s)", "true"},
      {1000, "entered(s[1ms])", "true"},
      {1001, "entered(s[1ms])", "false"},
      {1499, "left(s)", "false"},
      {1500, "left(s)", "true"},
      {2499, "left(s[1s])", "true"},
      {2500, "left(s[1s])", "false"},  // exactly a second ago: out
      {9000, "entered(s)", "true"},
      {2000, "entered(s[1s offset 500ms])", "true"},
      {2500, "entered(s[1s offset 500ms])", "false"},
      {9000, "entered(s[since first_time(a)])", "false"},
      {9000, "left(s[500ms after first_time(a)])", "true"},
      {9000, "left(s[499ms after first_time(a)])", "false"},
      {9000, "entered(t)", "true"},
      {9000, "left(t)", "false"},
      {9000, "entered(f)", "false"},
      {9000, "left(f)", "false"},  // never in, never out
      {999, "entered(t)", "false"},
  });
}

// The language uses instants: a membership that begins and ends at one instant is no change.
TEST_F(FactsTest, AMembershipOfNoDurationIsNoChange) {
  Load("timezone: UTC\nsegments: {odd: 'count(a) = 1', calm: 'count(b) = count(c)'}\n");
  Event("a", 1000);
  Event("a", 1000);
  Event("b", 1100);
  Event("c", 1100);
  AskAll({
      {1100, "entered(odd)", "false"},
      {1100, "left(odd)", "false"},
      {1100, "left(calm)", "false"},
      {1100, "in_segment(calm) for 100ms", "true"},
  });
}

TEST_F(FactsTest, ALateEventChangesWhatWas) {
  Load("timezone: UTC\nsegments: {s: 'count(a[500ms]) >= 1', two: 'count(a) >= 2'}\n");
  Event("a", 1000);
  Event("a", 2000);
  EXPECT_EQ(Ask("in_segment(s) for 600ms", 2100), "false");
  EXPECT_EQ(Ask("entered(two[200ms])", 2100), "true");
  Event("a", 1499);
  Event("a", 1990);
  EXPECT_EQ(Ask("in_segment(s) for 1100ms", 2100), "true");
  EXPECT_EQ(Ask("left(s)", 2100), "false");
  EXPECT_EQ(Ask("entered(two[200ms])", 2100), "false");  // ann entered at 1499
}

TEST_F(FactsTest, SegmentsOfSegmentsAndAbsence) {
  Load(
      "timezone: UTC\nsegments: {quiet: 'a then no b for 300ms', back: 'left(quiet[200ms])', long: "
      "'in_segment(quiet) for 1s'}\n");
  Event("a", 1000);
  Event("b", 1500);
  Event("a", 3000);
  AskAll({
      {1299, "in_segment(quiet)", "false"},
      {1300, "entered(quiet)", "true"},
      {1499, "in_segment(back)", "false"},
      {1500, "in_segment(back)", "true"},
      {1699, "in_segment(back)", "true"},
      {1700, "in_segment(back)", "false"},
      {1700, "left(back)", "true"},
      {4299, "in_segment(long)", "false"},
      {4300, "in_segment(long)", "true"},
      {4300, "entered(long[1ms])", "true"},
  });
}

TEST_F(FactsTest, ConsentIsTheLatestByEventTime) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  Consent(1100, R"({"email":true,"ad storage":false})");
  Consent(1300, R"({"email":false})");
  AskAll({
      {1000, "consent(email)", "false"},  // no record gives consent
      {1100, "consent(email)", "true"},
      {1100, "consent(\"ad storage\")", "false"},
      {1299, "consent(email)", "true"},
      {1300, "consent(email)", "false"},
      {1300, "consent(other)", "false"},
      {1300, "not consent(other)", "true"},
  });
  Consent(1200, R"({"ad storage":true,"email":"yes","sms":null})");  // late; neither text nor null counts
  history_->Add(Track("ev", "ann", "a", 1400, "",
                      ConsentContext(R"({"sms":true})").c_str()));  // an event may also give it
  AskAll({
      {1300, "consent(\"ad storage\")", "true"},
      {1250, "consent(email)", "true"},
      {1300, "consent(sms)", "false"},
      {1400, "consent(sms)", "true"},
      {1400, "count(a) = 2 and count(any) = 2", "true"},
  });
}

TEST_F(FactsTest, NoModelHasSpoken) {
  Load("timezone: UTC\n");
  Event("a", 1000);
  AskAll({
      {1000, "score(churn)", "null"},
      {1000, "cluster(styles)", "null"},
      {1000, "score(churn) < 1", "false"},
      {1000, "coalesce(score(churn), 0.5)", "0.5"},
  });
}

}  // namespace
}  // namespace attune::oracle
