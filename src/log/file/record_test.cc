#include "log/file/record.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/bytes.h"
#include "base/hash.h"

namespace attune {
namespace {

using namespace std::string_view_literals;

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[c & 15];
  }
  return text;
}

// All the hexadecimal bytes of the worked example in docs/formats.md, in order.
std::string ExampleOfTheDocument() {
  std::ifstream file("docs/formats.md");  // tests run in the project's folder
  std::string line, bytes;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("```")) inside = line == "```hex";
    if (!inside || line.starts_with("```")) continue;
    for (const char c : line.substr(0, line.find("  "))) {
      if (c != ' ') bytes += c;
    }
  }
  return bytes;
}

TEST(Record, TheDocumentsExampleIsWhatIsWritten) {
  std::string bytes = EncodeFileHeader({1, 0});
  AppendRecord({{1, 1, 5, "hello"}, kGroupStart}, &bytes);
  AppendRecord({{2, 1, 9, ""}, 0}, &bytes);
  EXPECT_EQ(ExampleOfTheDocument(), Hex(bytes));
}

TEST(Record, SealingGivesUnsealedRecordsTheirChecksums) {
  const FileRecord records[] = {{{1, 1, 5, "hello"}, kGroupStart}, {{2, 1, 9, ""}, 0}, {{3, 7, 63, std::string_view("\0\xff", 2)}, 0}};
  std::string sealed;
  RecordBlock block;
  for (const FileRecord& record : records) {
    AppendRecord(record, &sealed);
    AppendUnsealed(record, &block.bytes);
  }
  ASSERT_EQ(block.bytes.size(), sealed.size());
  FileRecord parsed;
  EXPECT_FALSE(ParseRecord(block.bytes, &parsed));
  SealRecords(&block);
  EXPECT_EQ(Hex(block.bytes), Hex(sealed));
  ASSERT_EQ(block.records.size(), std::size(records));
  for (size_t i = 0; i < block.records.size(); ++i) {
    EXPECT_EQ(block.records[i].sequence, records[i].sequence);
    EXPECT_EQ(block.records[i].type, records[i].type);
    EXPECT_EQ(block.records[i].shard, records[i].shard);
    EXPECT_EQ(block.records[i].payload, records[i].payload);
  }
  RecordBlock none;
  SealRecords(&none);
  EXPECT_EQ(none.bytes, "");
  EXPECT_TRUE(none.records.empty());
}

// Checksums by an independent bitwise implementation of CRC-32C.
TEST(Record, HasTheBytesThatTheGrammarSays) {
  EXPECT_EQ(Hex(EncodeFileHeader({1, 0})),
            "6174746e2d6c6f67"
            "01000000"
            "00000000"
            "0100000000000000"
            "0000000000000000"
            "00000000"
            "f5903e3c");
  std::string bytes;
  AppendRecord({{1, 1, 5, "hello"}, kGroupStart}, &bytes);
  EXPECT_EQ(Hex(bytes),
            "05000000"
            "01"
            "05"
            "0100"
            "0100000000000000"
            "9f9fca14"
            "68656c6c6f");
  bytes.clear();
  AppendRecord({{2, 1, 9, ""}, 0}, &bytes);
  EXPECT_EQ(Hex(bytes),
            "00000000"
            "01"
            "09"
            "0000"
            "0200000000000000"
            "992636da");
}

TEST(Record, EveryChangedByteIsNoticed) {
  std::string bytes;
  AppendRecord({{77, 3, 5, "a payload of some length"}, kGroupStart}, &bytes);
  FileRecord record;
  ASSERT_TRUE(ParseRecord(bytes, &record));
  EXPECT_EQ(record.sequence, 77u);
  EXPECT_EQ(record.type, 3);
  EXPECT_EQ(record.shard, 5);
  EXPECT_EQ(record.flags, kGroupStart);
  EXPECT_EQ(record.payload, "a payload of some length");
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(ParseRecord(changed, &record)) << i;
    }
    EXPECT_FALSE(ParseRecord(bytes.substr(0, i), &record));
  }
}

TEST(FileHeader, ComesBackAndRefusesDamage) {
  const std::string bytes = EncodeFileHeader({123, 45});
  ASSERT_EQ(bytes.size(), kFileHeaderBytes);
  const auto header = ParseFileHeader(bytes, "f");
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->first_sequence, 123u);
  EXPECT_EQ(header->previous, 45u);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    EXPECT_EQ(ParseFileHeader(changed, "f").error().code, ErrorCode::kCorrupt) << i;
    EXPECT_FALSE(ParseFileHeader(bytes.substr(0, i), "f").ok());
  }
}

TEST(FileHeader, ANewerVersionIsRefusedByName) {
  ByteWriter writer;
  writer.Raw("attn-log");
  writer.U32(2);
  writer.U32(0);
  writer.U64(1);
  writer.U64(0);
  writer.U32(0);
  writer.U32(Crc32c(writer.view()));
  const auto header = ParseFileHeader(writer.view(), "log/1.log");
  ASSERT_FALSE(header.ok());
  EXPECT_EQ(header.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(header.error().message,
            "log/1.log: format version 2 is newer than this program reads (1): use the newer "
            "program that wrote it");
}

}  // namespace
}  // namespace attune
