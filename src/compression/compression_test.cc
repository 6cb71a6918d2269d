#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "compression/decompressed.h"
#include "compression/inflate.h"
#include "compressor/compressor.h"

namespace attune {
namespace {

constexpr InflateLimits kLimits{1 << 20, 100};

// The text, or `damaged: …`, `too large`, `too dense`.
std::string Inflated(std::string_view compressed, const InflateLimits& limits = kLimits) {
  std::string out;
  const auto fault = Inflate(compressed, limits, &out);
  if (!fault) return out;
  switch (fault->kind) {
    case InflateFault::Kind::kDamaged: return "damaged: " + fault->detail;
    case InflateFault::Kind::kTooLarge: return "too large";
    case InflateFault::Kind::kTooDense: return "too dense";
  }
  return "?";
}

// Text that deflate shortens little, so that only the limit that is tested is met.
std::string Varied(size_t size) {
  std::string text;
  for (uint32_t seed = 1; text.size() < size; seed = seed * 1664525 + 1013904223) text += static_cast<char>('a' + (seed >> 24) % 26);
  return text;
}

TEST(InflateTest, UndoesGzipAndZlib) {
  for (const std::string& text : {std::string(), std::string("x"), Varied(200'000)}) {
    EXPECT_EQ(Inflated(Gzip(text)), text);
    EXPECT_EQ(Inflated(Zlib(text)), text);
  }
}

TEST(InflateTest, TakesTheLimitItselfAndRefusesMore) {
  const std::string text = Varied(100'000);
  EXPECT_EQ(Inflated(Gzip(text), {text.size(), 100}), text);
  EXPECT_EQ(Inflated(Gzip(text), {text.size() - 1, 100}), "too large");
}

TEST(InflateTest, StopsAtABombBeforeItIsUnpacked) {
  const std::string bomb = Gzip(std::string(64 << 20, '\0'));
  std::string out;
  const auto fault = Inflate(bomb, {1 << 30, 100}, &out);
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->kind, InflateFault::Kind::kTooDense);
  EXPECT_LT(out.size(), 100 * bomb.size() + (256 << 10));
}

TEST(InflateTest, NamesTheDamage) {
  const std::string whole = Gzip("some text");
  EXPECT_EQ(Inflated(whole.substr(0, whole.size() - 1)), "damaged: the compressed body ends too early");
  EXPECT_EQ(Inflated(whole.substr(0, 3)), "damaged: the compressed body ends too early");
  EXPECT_EQ(Inflated(""), "damaged: the compressed body ends too early");
  EXPECT_EQ(Inflated(whole + "x"), "damaged: something follows the compressed body");
  EXPECT_EQ(Inflated(whole + whole), "damaged: something follows the compressed body");
  EXPECT_EQ(Inflated("plain text").substr(0, 8), "damaged:");
  std::string wrong_sum = whole;
  wrong_sum[wrong_sum.size() - 8] ^= 1;
  EXPECT_EQ(Inflated(wrong_sum).substr(0, 8), "damaged:");
}

// Gives at most `piece` bytes at a time.
class Pieces : public ByteSource {
 public:
  Pieces(std::string bytes, size_t piece) : bytes_(std::move(bytes)), piece_(piece) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    const size_t count = std::min({size, piece_, bytes_.size() - at_});
    std::memcpy(buffer, bytes_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  const std::string bytes_;
  const size_t piece_;
  size_t at_ = 0;
};

// All of the stream, read `take` bytes at a time; or the error's message.
std::string All(const std::string& bytes, size_t piece, size_t take) {
  const auto source = Decompressed(std::make_unique<Pieces>(bytes, piece));
  std::string text, buffer(take, '\0');
  for (;;) {
    const auto got = source->Read(buffer.data(), buffer.size());
    if (!got.ok()) return got.error().message;
    if (*got == 0) return text;
    text.append(buffer, 0, *got);
  }
}

TEST(DecompressedTest, GivesTheSameHoweverItIsReadAndWhateverItsFormat) {
  const std::string text = Varied(300'000);
  const std::string half = text.substr(0, 1000), rest = text.substr(1000);
  for (const std::string& bytes :
       {text, Gzip(text), Zstd(text), Xz(text), Gzip(half) + Gzip(rest), Zstd(half) + Zstd(rest), Xz(half) + Xz(rest)}) {
    for (const auto& [piece, take] : {std::pair<size_t, size_t>{1 << 20, 1 << 20}, {7, 1 << 20}, {1 << 20, 13}, {1, 64}}) {
      EXPECT_TRUE(All(bytes, piece, take) == text) << piece << " " << take;
    }
  }
}

TEST(DecompressedTest, TakesShortTextAsItIs) {
  for (const std::string text : {"", "\x1f", "\x28\xb5", "\xfd", "x"}) EXPECT_EQ(All(text, 1, 1), text);
}

TEST(DecompressedTest, DamageIsNotTakenForTheEnd) {
  const std::string text = Varied(100'000);
  for (const auto& [bytes, what] : {std::pair{Gzip(text), "gzip"}, std::pair{Zstd(text), "zstd"}, std::pair{Xz(text), "xz"}}) {
    EXPECT_EQ(All(bytes.substr(0, bytes.size() - 3), 4096, 4096), "the compressed file ends too early");
    EXPECT_EQ(All(bytes + "xxxxxxxxxxxx", 4096, 4096), "the " + std::string(what) + " file is damaged");
  }
}

}  // namespace
}  // namespace attune
