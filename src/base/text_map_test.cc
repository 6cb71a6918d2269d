#include "base/text_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

namespace attune {
namespace {

// Texts of 16 bytes with one std::hash, as anyone can compute them: libstdc++ hashes by MurmurHash64A with a constant
// seed. Each of its steps is invertible, so for any first half there is a matching second half.
std::vector<std::string> CollidingNames(size_t count) {
  constexpr uint64_t kMultiplier = 0xC6A4A7935BD1E995;
  uint64_t inverse = kMultiplier;
  for (int i = 0; i < 6; ++i) inverse *= 2 - kMultiplier * inverse;
  const auto mixed = [](uint64_t word) {
    word *= kMultiplier;
    return (word ^ (word >> 47)) * kMultiplier;
  };
  const auto unmixed = [&](uint64_t word) {
    word *= inverse;
    return (word ^ (word >> 47)) * inverse;
  };
  const uint64_t start = 0xC70F6907 ^ (16 * kMultiplier);
  const uint64_t wanted = start * kMultiplier;
  std::vector<std::string> names;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t first = i * 0x9E3779B97F4A7C15;
    const uint64_t second = unmixed(((start ^ mixed(first)) * kMultiplier) ^ wanted);
    std::string name(16, '\0');
    std::memcpy(name.data(), &first, 8);
    std::memcpy(name.data() + 8, &second, 8);
    names.push_back(std::move(name));
  }
  return names;
}

TEST(TextMap, IsNotFloodedByNamesThatCollideElsewhere) {
  constexpr size_t kNames = 50'000;
  const auto names = CollidingNames(kNames);
  std::unordered_set<size_t> standard, ours;
  std::vector<int> load(1 << 16);
  TextMap<int> map;
  for (const std::string& name : names) {
    standard.insert(std::hash<std::string>{}(name));
    ours.insert(TextHash{}(name));
    ++load[TextHash{}(name) % load.size()];
    map.try_emplace(name, 1);
  }
  ASSERT_EQ(map.size(), kNames) << "all differ";
  EXPECT_EQ(standard.size(), 1u) << "this test would not notice a map that can be flooded";
  EXPECT_GT(ours.size(), kNames - 5);
  // With this many random names and buckets, the fullest bucket has about ten.
  EXPECT_LT(*std::max_element(load.begin(), load.end()), 20);
}

}  // namespace
}  // namespace attune
