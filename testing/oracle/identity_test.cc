// Identities, and their effect on a run, worked out by hand from the rule in identity.h and from docs/language.md.
#include "oracle/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "oracle/timeline.h"

namespace attune::oracle {
namespace {

Record Event(const Who& who) { return Track("id", who, "a", 0); }
Record Identify(const Who& who) { return Fact(EventKind::kIdentify, "id", who, 0); }
Record Group(const Who& who) { return Fact(EventKind::kGroup, "id", who, 0); }
Record Alias(const Who& who) { return Fact(EventKind::kAlias, "id", who, 0); }

// Applies the records. Returns the person of an id, and who ended with the last record.
struct Told {
  Identity identity;
  std::string ended;

  explicit Told(const std::vector<Record>& records) {
    for (const Record& record : records) ended = identity.TakeIn(record).value_or("");
  }
  std::string operator()(const std::string& id) const { return identity.PersonOf(id); }
};

TEST(IdentityTest, AnIdIsAPersonUntilItIsMerged) {
  const Told told({Event(Who::Anonymous("x")), Event({"ann", "x"}), Group({"ann", "x"})});
  EXPECT_EQ(told("x"), "x");  // only identify and alias merge
  EXPECT_EQ(told("ann"), "ann");
}

TEST(IdentityTest, AnIdentifyWithBothIdsMerges) {
  const Told told({Event(Who::Anonymous("x")), Identify({"ann", "x"})});
  EXPECT_EQ(told.ended, "x");
  EXPECT_EQ(told("x"), "ann");
  EXPECT_EQ(Told({Identify("ann")})("ann"), "ann");
  EXPECT_EQ(Told({Identify({"ann", "x"}), Identify({"ann", "x"})}).ended,
            "");  // already one person
  EXPECT_EQ(Told({Identify({"ann", "ann"})}).ended, "");
}

TEST(IdentityTest, SeveralAnonymousIdsAreOnePersons) {
  const Told told({Identify({"ann", "phone"}), Identify({"ann", "laptop"})});
  EXPECT_EQ(told("phone"), "ann");
  EXPECT_EQ(told("laptop"), "ann");
}

// A laptop that two people use: what was anonymous before ann's identify belongs to ann, and nothing of it to bob.
TEST(IdentityTest, TwoKnownPeopleAreNeverMerged) {
  const Told told({Event(Who::Anonymous("x")), Identify({"ann", "x"}), Identify({"bob", "x"})});
  EXPECT_EQ(told.ended, "");
  EXPECT_EQ(told("x"), "ann");
  EXPECT_EQ(told("bob"), "bob");
  EXPECT_EQ(Told({Event("ann"), Event("bob"), Identify({"bob", "ann"})})("ann"), "ann");
  EXPECT_EQ(Told({Identify({"ann", "x"}), Alias({"bob", "x"})})("x"), "ann");
  EXPECT_EQ(Told({Event("ann"), Alias({"ann2", "ann"})})("ann"),
            "ann");  // ann does not become another person either
  EXPECT_EQ(Told({Group("ann"), Alias({"ann2", "ann"})})("ann"), "ann");
}

TEST(IdentityTest, AliasesFormChains) {
  const Told told({Alias({"b", "a"}), Alias({"c", "b"}), Identify({"ann", "c"})});
  for (const char* id : {"a", "b", "c"}) EXPECT_EQ(told(id), "ann") << id;
  // In reverse: x is ann's when a becomes x.
  EXPECT_EQ(Told({Identify({"ann", "x"}), Alias({"x", "a"})})("a"), "ann");
  // A circle has no effect.
  EXPECT_EQ(Told({Alias({"b", "a"}), Alias({"a", "b"})})("a"), "b");
}

TEST(IdentityTest, AnAliasMakesNobodyKnown) {
  EXPECT_EQ(Told({Alias({"ann", "x"}), Alias({"bob", "x"})})("x"), "bob");
  EXPECT_EQ(Told({Alias({"ann", "x"}), Alias({"bob", "x"})})("ann"), "bob");
  EXPECT_EQ(Told({Alias({"ann", "x"}), Event("ann"), Alias({"bob", "x"})})("x"), "ann");
}

TEST(IdentityTest, AnUndoneMergePartsTheTwoForGood) {
  Told told({Event(Who::Anonymous("x")), Identify({"ann", "x"})});
  EXPECT_EQ(told.identity.Undo("ann"), std::nullopt);
  EXPECT_EQ(told.identity.Undo("x"), "ann");
  EXPECT_EQ(told("x"), "x");
  EXPECT_EQ(told.identity.Undo("x"), std::nullopt);
  EXPECT_EQ(told.identity.TakeIn(Identify({"ann", "x"})), std::nullopt);
  told.identity.SetKnown("ann", false);
  EXPECT_EQ(told.identity.TakeIn(Alias({"x", "ann"})), std::nullopt);
  EXPECT_EQ(told.identity.TakeIn(Identify({"bob", "x"})), "x");
}

TEST(IdentityTest, AnUndoneLinkOfAChainTakesWhatIsBehindItAlong) {
  Told told({Alias({"b", "a"}), Alias({"c", "b"})});
  EXPECT_EQ(told.identity.Undo("b"), "c");
  EXPECT_EQ(told("a"), "b");
  EXPECT_EQ(told("c"), "c");
}

// --- runs ---

// `1000 +s, 1500 -s@x`: transitions and firings in order of time; the star marks corrected ones.
std::string Happens(const std::string& yaml, const std::vector<Record>& records,
                    std::optional<Millis> until = std::nullopt,
                    const std::vector<Interlude>& interludes = {}) {
  const LoadedPlan loaded = ParsePlan("timezone: UTC\n" + yaml);
  for (const Problem& problem : loaded.problems) EXPECT_TRUE(problem.warning) << ToText(problem);
  if (!loaded.plan) return "no plan";
  const RunResult result = RunNaively(*loaded.plan, records, {until, {}, true, interludes});
  std::string text;
  const auto say = [&](Millis at, const std::string& what, const std::string& user) {
    text += (text.empty() ? "" : ", ") + std::to_string(at) + " " + what;
    if (user != "ann") text += "@" + user;
  };
  for (const Transition& t : result.transitions) {
    say(t.at, (t.enter ? "+" : "-") + t.segment + (t.corrected ? "*" : ""), t.user);
  }
  for (const Firing& f : result.firings) say(f.at, f.trigger + "!", f.user);
  return text;
}

class IdentityLog {
 public:
  IdentityLog& Add(const char* name, Millis time, const Who& who) {
    records_.push_back(Track(Id(), who, name, time));
    return *this;
  }
  IdentityLog& Add(EventKind kind, Millis time, const Who& who, const char* traits = "") {
    records_.push_back(Fact(kind, Id(), who, time, traits));
    return *this;
  }
  operator const std::vector<Record>&() const { return records_; }  // NOLINT: reads as a list

 private:
  std::string Id() const { return "e" + std::to_string(records_.size()); }
  std::vector<Record> records_;
};

const Who kX = Who::Anonymous("x");
constexpr EventKind kIdentify = EventKind::kIdentify;
constexpr EventKind kAlias = EventKind::kAlias;

TEST(MergedRunTest, TheAnonymousOneLeavesAndThePersonEnters) {
  const std::string plan = "segments: {s: count(a) >= 2}\n";
  EXPECT_EQ(
      Happens(plan, IdentityLog().Add("a", 1000, kX).Add("a", 1100, kX).Add(kIdentify, 1200, {"ann", "x"})),
      "1100 +s@x, 1200 +s, 1200 -s@x");
  // Together they have two.
  EXPECT_EQ(
      Happens(plan,
              IdentityLog().Add("a", 1000, kX).Add("a", 1100, "ann").Add(kIdentify, 1200, {"ann", "x"})),
      "1200 +s");
  // Later events of the anonymous id are ann's.
  EXPECT_EQ(
      Happens(plan, IdentityLog().Add("a", 1000, kX).Add(kIdentify, 1200, {"ann", "x"}).Add("a", 1300, kX)),
      "1300 +s");
  // The same before any event of the id.
  EXPECT_EQ(
      Happens(plan,
              IdentityLog().Add(kIdentify, 1200, {"ann", "x"}).Add("a", 1300, kX).Add("a", 1400, "ann")),
      "1400 +s");
  // A segment with both as members: one leaves, the other stays.
  EXPECT_EQ(
      Happens("segments: {s: count(a) >= 1}\n",
              IdentityLog().Add("a", 1000, kX).Add("a", 1100, "ann").Add(kIdentify, 1200, {"ann", "x"})),
      "1000 +s@x, 1100 +s, 1200 -s@x");
}

TEST(MergedRunTest, TheHistoryIsTheUnion) {
  // The sequence spans both histories; the first event and the latest trait are the anonymous user's.
  const auto log = IdentityLog()
                       .Add("a", 1000, kX)
                       .Add(kIdentify, 1050, kX, R"({"p":"anonymous"})")
                       .Add("b", 1100, "ann")
                       .Add(kIdentify, 1020, "ann", R"({"p":"late"})")
                       .Add(kAlias, 1200, {"ann", "x"});
  EXPECT_EQ(Happens("segments: {s: 'sequence(a -> b)', t: 'trait.p = \"anonymous\"', u: 'age(any) "
                    "= 200ms'}\n",
                    log, 1200),
            "1050 +t@x, 1200 +s, 1200 +t, 1200 +u, 1200 -t@x");
}

TEST(MergedRunTest, WhatIsDueBeforeHappensToEachApart) {
  const std::string plan = "segments: {s: 'count(a[200ms]) >= 1'}\n";
  EXPECT_EQ(
      Happens(plan,
              IdentityLog().Add("a", 1000, kX).Add("a", 1100, "ann").Add(kIdentify, 1250, {"ann", "x"}),
              2000),
      "1000 +s@x, 1100 +s, 1200 -s@x, 1300 -s");
  // At that very instant x is judged together with the record: x leaves once.
  EXPECT_EQ(
      Happens(plan,
              IdentityLog().Add("a", 1000, kX).Add("a", 1100, "ann").Add(kIdentify, 1200, {"ann", "x"}),
              2000),
      "1000 +s@x, 1100 +s, 1200 -s@x, 1300 -s");
}

TEST(MergedRunTest, ALateMergeIsSeenAtTheLatestClockAndCorrectsNothing) {
  const std::string plan = "segments: {s: count(a) >= 2, t: 'count(b[300ms]) >= 1'}\n";
  // ann's clock is 1500, x's is 1700; the identify has 1200.
  EXPECT_EQ(Happens(plan,
                    IdentityLog()
                        .Add("b", 1500, "ann")
                        .Add("a", 1400, kX)
                        .Add("a", 1700, kX)
                        .Add(kIdentify, 1200, {"ann", "x"}),
                    2000),
            "1500 +t, 1700 +s, 1700 +s@x, 1700 -s@x, 1800 -t");
  // From then on an event before 1700 is late.
  EXPECT_EQ(Happens("segments: {s: count(a) >= 3}\n", IdentityLog()
                                                          .Add("b", 1500, "ann")
                                                          .Add("a", 1400, kX)
                                                          .Add("a", 1700, kX)
                                                          .Add(kIdentify, 1200, {"ann", "x"})
                                                          .Add("a", 1600, kX)),
            "1700 +s*");
}

TEST(MergedRunTest, KnownPeopleStayApart) {
  EXPECT_EQ(Happens("segments: {s: count(a) >= 2}\n", IdentityLog()
                                                          .Add("a", 1000, "ann")
                                                          .Add(kIdentify, 1050, {"ann", "x"})
                                                          .Add(kIdentify, 1100, {"bob", "x"})
                                                          .Add("a", 1200, "bob")
                                                          .Add("a", 1300, kX)),
            "1300 +s");
}

TEST(MergedRunTest, ADuplicateMergesNothing) {
  std::vector<Record> log = {Track("a1", kX, "a", 1000), Track("b1", "ann", "b", 1050),
                             Fact(kIdentify, "b1", {"ann", "x"}, 1100)};
  EXPECT_EQ(Happens("segments: {s: count(any) >= 2}\n", log), "");
}

TEST(MergedRunTest, ChainsHandTheHistoryOn) {
  EXPECT_EQ(Happens("segments: {s: count(a) >= 2}\n", IdentityLog()
                                                          .Add("a", 1000, kX)
                                                          .Add(kAlias, 1100, {"y", "x"})
                                                          .Add("a", 1200, Who::Anonymous("y"))
                                                          .Add(kIdentify, 1300, {"ann", "y"})
                                                          .Add("b", 1400, kX)),
            "1200 +s@y, 1300 +s, 1300 -s@y");
}

TEST(MergedRunTest, TheEndedUserFiresNothingAndItsFiringsCount) {
  const auto log = IdentityLog().Add("a", 1000, kX).Add(kIdentify, 1200, {"ann", "x"});
  EXPECT_EQ(Happens("triggers: {t: {enter: count(a) >= 1}, u: {leave: count(a) >= 1}}\n", log),
            "1000 t!@x, 1200 t!");
  EXPECT_EQ(Happens("triggers: {t: {enter: count(a) >= 1, cooldown: 200ms}}\n", log),
            "1000 t!@x, 1200 t!");
  EXPECT_EQ(Happens("triggers: {t: {enter: count(a) >= 1, cooldown: 201ms}}\n", log), "1000 t!@x");
}

TEST(MergedRunTest, TheAnonymousOneIsListedUntilThen) {
  const LoadedPlan loaded = ParsePlan("metrics: {n: count(any)}\n");
  std::vector<std::string> lines;
  const std::vector<Record> log = IdentityLog()
                                      .Add("a", 1000, kX)
                                      .Add("a", 1100, "ann")
                                      .Add(kIdentify, 1200, {"ann", "x"})
                                      .Add("a", 1300, kX);
  for (const UserValues& values :
       RunNaively(*loaded.plan, log, {std::nullopt, {1150, 1200, 1300}, false}).values) {
    lines.push_back(std::to_string(values.at) + " " + values.user + " " + values.metrics.at("n"));
  }
  EXPECT_EQ(lines,
            (std::vector<std::string>{"1150 ann 1", "1150 x 1", "1200 ann 2", "1300 ann 3"}));
}

Interlude Unmerge(size_t before, const std::string& id, Millis at) {
  return {before, Interlude::Kind::kUnmerge, at, nullptr, id};
}

TEST(UnmergedRunTest, EachHasWhatItsOwnIdsSent) {
  const std::string plan = "segments: {s: count(a) >= 2}\n";
  // One event each: only together were they in the segment.
  EXPECT_EQ(Happens(plan,
                    IdentityLog()
                        .Add("a", 1000, kX)
                        .Add("a", 1100, "ann")
                        .Add(kIdentify, 1200, {"ann", "x"})
                        .Add("a", 1400, kX),
                    1500, {Unmerge(3, "x", 1300)}),
            "1200 +s, 1300 -s, 1400 +s@x");
  // Events of x while it was ann's become x's again; the record that merged them is ann's.
  EXPECT_EQ(Happens(plan,
                    IdentityLog()
                        .Add("a", 1000, kX)
                        .Add(kIdentify, 1200, {"ann", "x"})
                        .Add("a", 1250, kX)
                        .Add("a", 1400, "ann"),
                    1500, {Unmerge(3, "x", 1300)}),
            "1250 +s, 1300 -s, 1300 +s@x");
  // An id that is not merged has nothing to undo.
  EXPECT_EQ(Happens(plan, IdentityLog().Add("a", 1000, kX).Add("a", 1100, kX), 1500,
                    {Unmerge(1, "x", 1050), Unmerge(2, "y", 1300)}),
            "1100 +s@x");
}

TEST(UnmergedRunTest, WhatIsDueBeforeHappensFirst) {
  const std::string plan = "segments: {s: 'count(a[200ms]) >= 1'}\n";
  const auto log = IdentityLog().Add("a", 1000, kX).Add(kIdentify, 1050, {"ann", "x"});
  EXPECT_EQ(Happens(plan, log, 1500, {Unmerge(2, "x", 1100)}),
            "1000 +s@x, 1050 +s, 1050 -s@x, 1100 -s, 1100 +s@x, 1200 -s@x");
  EXPECT_EQ(Happens(plan, log, 1500, {Unmerge(2, "x", 1250)}),
            "1000 +s@x, 1050 +s, 1050 -s@x, 1200 -s");
  // Requested for an instant that the person's clock has passed.
  EXPECT_EQ(Happens(plan, IdentityLog(log).Add("a", 1400, "ann"), 1700, {Unmerge(3, "x", 1250)}),
            "1000 +s@x, 1050 +s, 1050 -s@x, 1200 -s, 1400 +s, 1600 -s");
}

TEST(UnmergedRunTest, NothingFiresAndNothingThatDidNotFireCounts) {
  const std::string plan =
      "triggers:\n  t: {enter: 'count(a[500ms]) >= 2', cooldown: 10s}\n";
  const auto log = IdentityLog()
                       .Add("a", 1000, kX)
                       .Add("a", 1010, kX)
                       .Add(kIdentify, 1100, {"ann", "x"});
  // x fired at 1010, and that counts for ann.
  EXPECT_EQ(Happens(plan, log, 1500, {Unmerge(3, "x", 1200)}), "1010 t!@x");
  // x has its events again, but no firings.
  EXPECT_EQ(Happens(plan, IdentityLog(log).Add("a", 3000, kX).Add("a", 3010, kX), 3500,
                    {Unmerge(3, "x", 1200)}),
            "1010 t!@x, 3010 t!@x");
  EXPECT_EQ(Happens(plan, IdentityLog(log).Add("a", 3000, "ann").Add("a", 3010, "ann"), 3500,
                    {Unmerge(3, "x", 1200)}),
            "1010 t!@x");
}

TEST(UnmergedRunTest, EachIsKnownByItsOwnRecords) {
  const std::string plan = "segments: {s: count(a) >= 1}\n";
  // ann was merged into bob before ann became known, so bob alone is not known.
  const auto log = IdentityLog()
                       .Add(kAlias, 1000, {"bob", "ann"})
                       .Add("a", 1100, "ann")
                       .Add(kAlias, 1300, {"cid", "bob"});
  EXPECT_EQ(Happens(plan, IdentityLog(log).Add("a", 1400, "bob"), 1500),
            "1100 +s@bob");
  EXPECT_EQ(Happens(plan, IdentityLog(log).Add("a", 1400, "bob"), 1500, {Unmerge(2, "ann", 1200)}),
            "1100 +s@bob, 1200 +s, 1200 -s@bob, 1400 +s@cid");
}

}  // namespace
}  // namespace attune::oracle
