#include "engine/series/last_of_each.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace attune {
namespace {

// Values with their marks, as in a series.
struct LastEntries {
  void Insert(size_t at, uint64_t value) {
    values.insert(values.begin() + static_cast<ptrdiff_t>(at), value);
    if (at + 1 < values.size()) marks.Insert(at, value);
  }
  void Drop(size_t n) {
    marks.Drop(values.data(), n);
    values.erase(values.begin(), values.begin() + static_cast<ptrdiff_t>(n));
  }
  size_t DistinctFrom(size_t from) const {
    return std::set<uint64_t>(values.begin() + static_cast<ptrdiff_t>(from), values.end()).size();
  }
  // Compares all queries with a direct count.
  void Check(size_t from) {
    marks.Extend(values.data(), values.size());
    const size_t distinct = DistinctFrom(from);
    ASSERT_EQ(marks.CountFrom(from), distinct);
    size_t at = 0;
    ASSERT_EQ(marks.FindLatest(DistinctFrom(0) + 1, &at), false);
    ASSERT_TRUE(marks.FindLatest(distinct, &at));
    ASSERT_EQ(DistinctFrom(at), distinct);
    ASSERT_EQ(DistinctFrom(at + 1), distinct - 1);
    ASSERT_EQ(marks.FirstFrom(from), at);
  }

  LastOfEach marks;
  std::vector<uint64_t> values;
};

TEST(LastOfEachTest, MarksTheLastOfEachValue) {
  LastEntries entries;
  for (const uint64_t x : {1, 2, 1, 3, 2}) entries.Insert(entries.values.size(), x);
  entries.marks.Extend(entries.values.data(), 5);
  EXPECT_EQ(entries.marks.CountFrom(0), 3u);
  EXPECT_EQ(entries.marks.CountFrom(3), 2u);
  EXPECT_EQ(entries.marks.FirstFrom(0), 2u);
  EXPECT_EQ(entries.marks.FirstFrom(3), 3u);
  size_t at = 0;
  ASSERT_TRUE(entries.marks.FindLatest(1, &at));
  EXPECT_EQ(at, 4u);
  ASSERT_TRUE(entries.marks.FindLatest(3, &at));
  EXPECT_EQ(at, 2u);
  EXPECT_FALSE(entries.marks.FindLatest(4, &at));
}

TEST(LastOfEachTest, AgreesWithLookingAtEachWhateverChanges) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
    const size_t values = seed % 3 == 0 ? 5 : 300;
    LastEntries entries;
    for (int step = 0; step < 700; ++step) {
      entries.Insert(below(10) > 0 ? entries.values.size() : below(entries.values.size() + 1), below(values));
      if (below(40) == 0) entries.Drop(below(entries.values.size() / 2 + 2) % (entries.values.size() + 1));
      if (entries.values.empty() || below(3) > 0) continue;
      entries.Check(below(entries.values.size()));
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
    }
  }
}

// Enough entries for several blocks of words, and for the blocks of dropped entries to be removed.
TEST(LastOfEachTest, AgreesOverManyEntries) {
  std::mt19937 random(1);
  LastEntries entries;
  for (int i = 0; i < 60'000; ++i) {
    const size_t late = i % 1500 == 7 ? entries.values.size() / 3 : 0;
    entries.Insert(entries.values.size() - late, i < 30'000 ? random() % 20'000 : random() % 50);
    if (entries.values.size() > 15'000) entries.Drop(1 + random() % 2);
    if (i % 2'999 != 0) continue;
    entries.Check(random() % entries.values.size());
    entries.Check(0);
    if (testing::Test::HasFatalFailure()) FAIL() << "entry " << i;
  }
  EXPECT_LT(entries.marks.MemoryBytes(), 600'000u);
}

}  // namespace
}  // namespace attune
