#include "engine/series/extremes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace attune {
namespace {

// Values with the trees over them, as in a series.
class Entries {
 public:
  void Insert(size_t at, Value value) {
    values_.insert(values_.begin() + static_cast<ptrdiff_t>(at), Stored::Acquire(value, &interner_).bits());
    if (at + 1 == values_.size()) return;
    least_.Truncate(at);
    greatest_.Truncate(at);
  }
  void Drop(size_t n) {
    values_.erase(values_.begin(), values_.begin() + static_cast<ptrdiff_t>(n));
    least_.Drop(n);
    greatest_.Drop(n);
  }
  size_t size() const { return values_.size(); }
  Value at(size_t i) const { return Stored::FromBits(values_[i]).Load(interner_); }

  size_t Find(size_t from, size_t to, bool largest) {
    return (largest ? greatest_ : least_).Find(values_.data(), from, to, interner_);
  }
  size_t FindOneByOne(size_t from, size_t to, bool largest) const {
    size_t best = from;
    for (size_t i = from; i < to; ++i) {
      if (!Beats(at(best), at(i), largest)) best = i;
    }
    return best;
  }
  size_t FindBeyond(size_t from, size_t to, const Beyond& beyond) {
    return (beyond.largest ? greatest_ : least_).FindBeyond(values_.data(), from, to, beyond, interner_);
  }
  size_t FindBeyondOneByOne(size_t from, size_t to, const Beyond& beyond) const {
    for (size_t i = to; i-- > from;) {
      if (beyond(Stored::FromBits(values_[i]))) return i;
    }
    return to;
  }
  size_t MemoryBytes() const { return least_.MemoryBytes() + greatest_.MemoryBytes(); }

 private:
  Interner interner_;
  std::vector<uint64_t> values_;
  Extremes least_{false};
  Extremes greatest_{true};
};

TEST(ExtremesTest, FindsTheLatestOfEquals) {
  Entries entries;
  for (const double x : {3, 7, 1, 7, 5, 1, 2, 7, 4}) entries.Insert(entries.size(), Value::Number(x));
  EXPECT_EQ(entries.Find(0, 9, true), 7u);
  EXPECT_EQ(entries.Find(0, 7, true), 3u);
  EXPECT_EQ(entries.Find(0, 9, false), 5u);
  EXPECT_EQ(entries.Find(6, 9, false), 6u);
  EXPECT_EQ(entries.Find(8, 9, true), 8u);
}

TEST(ExtremesTest, RanksNumbersBeforeTextsBeforeTimesBeforeBooleans) {
  Entries entries;
  const Value values[] = {Value::Bool(true), Value::Time(9), Value::String("a"), Value::String("b"), Value::Number(1),
                          Value::String("c"), Value::Time(8), Value::Bool(false)};
  for (const Value& value : values) entries.Insert(entries.size(), value);
  EXPECT_EQ(entries.Find(0, 8, true), 4u);
  EXPECT_EQ(entries.Find(0, 4, true), 3u);
  EXPECT_EQ(entries.Find(0, 4, false), 2u);
  EXPECT_EQ(entries.Find(5, 8, false), 5u);
  EXPECT_EQ(entries.Find(6, 8, false), 6u);
  EXPECT_EQ(entries.Find(7, 8, true), 7u);
}

TEST(ExtremesTest, FindsTheLatestBeyondABound) {
  Entries entries;
  for (const double x : {91, 90, 3, 4, 89, 90, 2, 8, 7}) entries.Insert(entries.size(), Value::Number(x));
  EXPECT_EQ(entries.FindBeyond(0, 9, {90, false, true}), 0u);
  EXPECT_EQ(entries.FindBeyond(0, 9, {90, true, true}), 5u);
  EXPECT_EQ(entries.FindBeyond(1, 9, {90, false, true}), 9u);
  EXPECT_EQ(entries.FindBeyond(0, 9, {4, false, false}), 6u);
  EXPECT_EQ(entries.FindBeyond(0, 6, {4, true, false}), 3u);
  EXPECT_EQ(entries.FindBeyond(0, 9, {1, true, false}), 9u);
}

// Appends, inserts and drops at the front, with queries in between.
TEST(ExtremesTest, AgreesWithLookingAtEachWhateverChanges) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t n) { return static_cast<size_t>(random()) % n; };
    const bool mixed = seed % 2 == 0;
    Entries entries;
    for (int step = 0; step < 600; ++step) {
      const auto x = static_cast<double>(below(40));
      const size_t type = mixed ? below(5) : 4;
      const std::string text = "t" + std::to_string(below(40));
      const Value value = type == 0   ? Value::String(text)
                          : type == 1 ? Value::Time(static_cast<Millis>(x))
                          : type == 2 ? Value::Bool(x > 20)
                                      : Value::Number(x);
      entries.Insert(below(10) > 0 ? entries.size() : below(entries.size() + 1), value);
      if (below(30) == 0) entries.Drop(below(entries.size() + 1));
      if (entries.size() == 0 || below(3) > 0) continue;
      const bool largest = below(2) == 0;
      const size_t from = below(entries.size());
      const size_t to = below(2) == 0 ? entries.size() : from + 1 + below(entries.size() - from);
      ASSERT_EQ(entries.Find(from, to, largest), entries.FindOneByOne(from, to, largest)) << "seed " << seed << " step " << step;
      const Beyond beyond = {static_cast<double>(below(44)) - 2, below(2) == 0, largest};
      ASSERT_EQ(entries.FindBeyond(from, to, beyond), entries.FindBeyondOneByOne(from, to, beyond)) << "seed " << seed << " step " << step;
    }
  }
}

TEST(ExtremesTest, TakesNoMoreRoomWhenEntriesComeAndGo) {
  Entries entries;
  for (int i = 0; i < 20'000; ++i) {
    entries.Insert(entries.size(), Value::Number(i % 97));
    if (entries.size() > 1000) entries.Drop(1);
    ASSERT_EQ(entries.at(entries.Find(0, entries.size(), true)).number(), i < 96 ? i : 96);
  }
  EXPECT_LT(entries.MemoryBytes(), 16'000u);
}

}  // namespace
}  // namespace attune
