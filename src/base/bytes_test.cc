#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace attune {
namespace {

TEST(Bytes, WhatIsWrittenIsReadBack) {
  ByteWriter writer;
  writer.U8(0xfe);
  writer.U16(0xfedc);
  writer.U32(0xfedcba98u);
  writer.U64(0xfedcba9876543210u);
  writer.I64(-5);
  writer.Double(-0.5);
  writer.Bool(true);
  writer.String("täst");
  writer.Raw("raw");
  const std::string bytes = writer.Take();
  EXPECT_EQ(writer.size(), 0u);

  ByteReader reader(bytes);
  EXPECT_EQ(reader.U8(), 0xfe);
  EXPECT_EQ(reader.U16(), 0xfedc);
  EXPECT_EQ(reader.U32(), 0xfedcba98u);
  EXPECT_EQ(reader.U64(), 0xfedcba9876543210u);
  EXPECT_EQ(reader.I64(), -5);
  EXPECT_EQ(reader.Double(), -0.5);
  EXPECT_TRUE(reader.Bool());
  EXPECT_EQ(reader.String(), "täst");
  EXPECT_EQ(reader.Raw(3), "raw");
  EXPECT_TRUE(reader.done());
}

TEST(Bytes, FixedValuesAreLittleEndian) {
  ByteWriter writer;
  writer.U32(0x04030201u);
  EXPECT_EQ(writer.view(), std::string_view("\1\2\3\4"));
}

TEST(Bytes, VarintsHaveTheirKnownBytesAndComeBack) {
  using namespace std::string_view_literals;
  const struct {
    uint64_t value;
    std::string_view bytes;
  } cases[] = {
      {0, "\0"sv},
      {1, "\1"sv},
      {127, "\x7f"sv},
      {128, "\x80\x01"sv},
      {300, "\xac\x02"sv},
      {16383, "\xff\x7f"sv},
      {16384, "\x80\x80\x01"sv},
      {std::numeric_limits<uint64_t>::max(), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv},
  };
  for (const auto& c : cases) {
    ByteWriter writer;
    writer.Varint(c.value);
    EXPECT_EQ(writer.view(), c.bytes) << c.value;
    ByteReader reader(c.bytes);
    EXPECT_EQ(reader.Varint(), c.value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(Bytes, ZigzagKeepsSmallNegativesSmall) {
  const struct {
    int64_t value;
    size_t size;
  } cases[] = {{0, 1},
               {-1, 1},
               {63, 1},
               {-64, 1},
               {64, 2},
               {std::numeric_limits<int64_t>::min(), 10},
               {std::numeric_limits<int64_t>::max(), 10}};
  for (const auto& c : cases) {
    ByteWriter writer;
    writer.Zigzag(c.value);
    EXPECT_EQ(writer.size(), c.size) << c.value;
    ByteReader reader(writer.view());
    EXPECT_EQ(reader.Zigzag(), c.value);
    EXPECT_TRUE(reader.done());
  }
}

TEST(Bytes, AnyPrefixFailsAndStaysFailed) {
  ByteWriter writer;
  writer.U64(1);
  writer.String("a string of some length");
  writer.Varint(1ull << 40);
  for (size_t size = 0; size < writer.size(); ++size) {
    ByteReader reader(writer.view().substr(0, size));
    reader.U64();
    reader.String();
    reader.Varint();
    EXPECT_FALSE(reader.ok()) << size;
    EXPECT_EQ(reader.U8(), 0);
    EXPECT_NE(reader.String().data(), nullptr) << "what is empty can be copied";
    EXPECT_FALSE(reader.done());
  }
}

TEST(Bytes, BadVarintsAreRefused) {
  const std::string too_long(11, '\x80');
  const std::string too_big = std::string(9, '\xff') + '\x02';
  for (const std::string& bytes : {too_long, too_big}) {
    ByteReader reader(bytes);
    EXPECT_EQ(reader.Varint(), 0u);
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Bytes, AHugeLengthDoesNotWrapAround) {
  ByteWriter writer;
  writer.Varint(std::numeric_limits<uint64_t>::max());
  writer.Raw("abc");
  ByteReader reader(writer.view());
  const std::string_view text = reader.String();
  EXPECT_EQ(text, "");
  EXPECT_NE(text.data(), nullptr);
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, NotANumberKeepsItsBits) {
  ByteWriter writer;
  writer.Double(std::numeric_limits<double>::quiet_NaN());
  ByteReader reader(writer.view());
  EXPECT_TRUE(std::isnan(reader.Double()));
}

}  // namespace
}  // namespace attune
