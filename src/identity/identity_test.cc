#include "identity/identity.h"

#include <gtest/gtest.h>

#include <string>

#include "identity/linked_ids.h"

namespace attune {
namespace {

std::string Id(const char* prefix, int i) { return prefix + std::to_string(i); }

TEST(Identity, AnIdLeadsToItselfUntilItIsMerged) {
  Identity identity;
  EXPECT_EQ(identity.PersonOf("a"), "a");
  identity.Merge("a", "b", 7);
  EXPECT_EQ(identity.PersonOf("a"), "b");
  EXPECT_TRUE(identity.IsMerged("a"));
  EXPECT_FALSE(identity.IsMerged("b"));
}

TEST(Identity, ChainsAndStarsLeadToOnePerson) {
  constexpr int kLinks = 10'000;
  Identity chain, star;
  for (int i = 0; i < kLinks; ++i) {
    chain.Merge(Id("c", i), Id("c", i + 1), static_cast<uint64_t>(i + 1));
    star.Merge(Id("s", i), "person", static_cast<uint64_t>(i + 1));
  }
  for (const int i : {0, 1, kLinks / 2, kLinks - 1}) {
    EXPECT_EQ(chain.PersonOf(Id("c", i)), Id("c", kLinks));
    EXPECT_EQ(star.PersonOf(Id("s", i)), "person");
  }
}

// a -> b -> c, then b leads to itself again, with a.
TEST(Identity, UndoCutsOffATree) {
  Identity identity;
  identity.Merge("a", "b", 1);
  identity.Merge("b", "c", 2);
  identity.Merge("d", "c", 3);
  identity.Undo("b", 4);
  EXPECT_EQ(identity.PersonOf("a"), "b");
  EXPECT_EQ(identity.PersonOf("b"), "b");
  EXPECT_EQ(identity.PersonOf("d"), "c");
  EXPECT_FALSE(identity.MayMerge("b", "c"));
  EXPECT_FALSE(identity.MayMerge("c", "b"));
  EXPECT_TRUE(identity.MayMerge("b", "e"));
  identity.Merge("b", "e", 5);
  EXPECT_EQ(identity.PersonOf("a"), "e");
}

TEST(Identity, TheJournalAnswersForEarlierRecords) {
  Identity identity;
  identity.Merge("a", "b", 10);
  identity.Merge("b", "c", 20);
  identity.Undo("a", 30);
  EXPECT_TRUE(identity.LedTo("a", "a", 9));
  EXPECT_TRUE(identity.LedTo("a", "b", 10));
  EXPECT_TRUE(identity.LedTo("a", "c", 29));
  EXPECT_TRUE(identity.LedTo("a", "a", 30));
  EXPECT_FALSE(identity.LedTo("a", "c", 30));
  EXPECT_TRUE(identity.LedTo("b", "c", 30));
}

TEST(LinkedIds, TheLastOfASetLeadsNowhereElse) {
  LinkedIds ids;
  ids.Link("device", "ann");
  EXPECT_TRUE(ids.MayLeadElsewhere("device"));
  EXPECT_FALSE(ids.MayLeadElsewhere("ann"));
  ids.Link("device", "ann");
  EXPECT_FALSE(ids.MayLeadElsewhere("ann"));
  ids.Link("device", "bob");  // bob may be merged into the person with the device's history
  EXPECT_TRUE(ids.MayLeadElsewhere("ann"));
  EXPECT_FALSE(ids.MayLeadElsewhere("bob"));
  EXPECT_TRUE(ids.AreLinked("ann", "bob"));
  EXPECT_FALSE(ids.Contains("cid"));
}

}  // namespace
}  // namespace attune
