#include "log/file/recovery.h"

#include <gtest/gtest.h>

#include <random>

#include "base/bytes.h"
#include "base/hash.h"
#include "fake_disk/fake_disk.h"
#include "log/file/file_reader.h"
#include "log/file/log_file.h"
#include "log/file/verify.h"

namespace attune {
namespace {

constexpr char kDir[] = "log";

struct Spec {
  bool group_start;
  size_t payload_bytes;
};

std::string Payload(uint64_t sequence, size_t bytes) {
  std::string payload;
  while (payload.size() < bytes) payload += std::to_string(sequence * 2654435761u) + ",";
  payload.resize(bytes);
  return payload;
}

// A log file as a Log would write it, with the end of each record.
struct MadeFile {
  uint64_t first_sequence;
  std::string bytes;
  std::vector<size_t> ends;  // ends[0]: of the header
};

MadeFile Make(uint64_t first_sequence, uint64_t previous, const std::vector<Spec>& specs) {
  MadeFile made{first_sequence, EncodeFileHeader({first_sequence, previous}), {kFileHeaderBytes}};
  uint64_t sequence = first_sequence;
  for (const Spec& spec : specs) {
    const std::string payload = Payload(sequence, spec.payload_bytes);
    AppendRecord({{sequence++, 1, 2, payload}, spec.group_start ? kGroupStart : uint16_t{0}}, &made.bytes);
    made.ends.push_back(made.bytes.size());
  }
  return made;
}

void Put(FakeDisk& disk, const MadeFile& made) {
  ASSERT_TRUE(disk.MakeDir(kDir).ok());
  disk.SetContent(LogFilePath(kDir, made.first_sequence), made.bytes);
}

// The sequences that a reader returns; checks each record's payload. Sets the error if reading ends with one.
std::vector<uint64_t> Sequences(Disk& disk, std::optional<Error>* error = nullptr, uint64_t from = 1) {
  std::vector<uint64_t> found;
  auto reader = FileReader::Open(kDir, from, {.disk = &disk});
  RecordView record;
  while (reader.ok()) {
    const auto more = reader->Next(&record);
    if (!more.ok()) {
      if (error) *error = more.error();
      return found;
    }
    if (!*more) return found;
    EXPECT_EQ(record.payload, Payload(record.sequence, record.payload.size()));
    found.push_back(record.sequence);
  }
  if (error) *error = reader.error();
  return found;
}

std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> range;
  for (uint64_t i = first; i <= last; ++i) range.push_back(i);
  return range;
}

const std::vector<Spec> kThreeGroups = {{true, 30}, {false, 10}, {true, 25}, {true, 40}, {false, 0}, {false, 33}};

TEST(Recovery, AnEmptyFolderIsAnEmptyLog) {
  FakeDisk disk;
  ASSERT_TRUE(disk.MakeDir(kDir).ok());
  const auto recovery = RecoverLog(disk, kDir, false);
  ASSERT_TRUE(recovery.ok());
  EXPECT_EQ(recovery->files, 0u);
  EXPECT_EQ(recovery->last_sequence, 0u);
}

TEST(Recovery, OtherFilesAreLeftAlone) {
  FakeDisk disk;
  const MadeFile made = Make(1, 0, kThreeGroups);
  Put(disk, made);
  // These are not log files: sequences begin at 1.
  for (const char* name : {"00000000000000000000.log", "1.log", "damaged-00000000000000000001.log-40"}) {
    disk.SetContent(std::string(kDir) + "/" + name, "noise");
  }
  EXPECT_EQ(*ListLogFiles(disk, kDir), std::vector<uint64_t>{1});
  for (const bool repair : {false, true}) {
    const auto recovery = RecoverLog(disk, kDir, repair);
    ASSERT_TRUE(recovery.ok()) << recovery.error().message;
    EXPECT_EQ(recovery->files, 1u);
    EXPECT_EQ(recovery->last_sequence, kThreeGroups.size());
  }
  EXPECT_EQ(disk.Content(std::string(kDir) + "/00000000000000000000.log"), "noise");
}

TEST(Recovery, ATailCutAtAnyByteLosesOnlyTheIncompleteRecords) {
  const MadeFile whole = Make(1, 0, kThreeGroups);
  // After the cut: nothing, reserved zeros, or noise.
  std::string noise(100, '\0');
  std::mt19937 random(1);
  for (char& c : noise) c = static_cast<char>(random());
  for (const std::string& behind : {std::string(), std::string(5000, '\0'), noise}) {
    for (size_t cut = whole.ends[3]; cut <= whole.bytes.size(); ++cut) {
      FakeDisk disk;
      MadeFile torn = whole;
      torn.bytes = whole.bytes.substr(0, cut) + behind;
      Put(disk, torn);
      const auto recovery = RecoverLog(disk, kDir, false);
      ASSERT_TRUE(recovery.ok()) << cut << ": " << recovery.error().message;
      size_t kept = 0;
      while (kept + 1 < whole.ends.size() && whole.ends[kept + 1] <= cut) ++kept;
      EXPECT_EQ(recovery->last_sequence, kept) << cut;
      EXPECT_EQ(recovery->end_offset, whole.ends[kept]);
      const bool zeros = behind.find_first_not_of('\0') == std::string::npos;
      if (zeros) {
        // Zeros at the end of the truncated bytes look like reserved space.
        EXPECT_LE(recovery->torn_bytes, cut - whole.ends[kept]);
      } else {
        EXPECT_GT(recovery->torn_bytes, 0u);
      }
      EXPECT_EQ(Sequences(disk), Range(1, kept));
      // The second recovery has nothing to do.
      const auto again = RecoverLog(disk, kDir, false);
      ASSERT_TRUE(again.ok());
      EXPECT_EQ(again->torn_bytes, 0u);
      EXPECT_EQ(again->last_sequence, kept);
    }
  }
}

TEST(Recovery, ARepeatedTailBlockIsCut) {
  const MadeFile whole = Make(1, 0, kThreeGroups);
  FakeDisk disk;
  MadeFile repeated = whole;
  repeated.bytes += whole.bytes.substr(whole.ends[3]);
  Put(disk, repeated);
  const auto recovery = RecoverLog(disk, kDir, false);
  ASSERT_TRUE(recovery.ok()) << recovery.error().message;
  EXPECT_EQ(recovery->last_sequence, 6u);
  EXPECT_EQ(recovery->torn_bytes, whole.bytes.size() - whole.ends[3]);
  EXPECT_EQ(Sequences(disk), Range(1, 6));
}

TEST(Recovery, AGroupWithMissingSectorsIsCutAtTheFirstOne) {
  // The last group is 40 records of 520 bytes. After a power cut any set of its sectors may be missing.
  std::vector<Spec> specs = {{true, 30}, {true, 100}};
  for (int i = 0; i < 40; ++i) specs.push_back({i == 0, 500});
  const MadeFile whole = Make(1, 0, specs);
  const size_t durable = whole.ends[2];
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    MadeFile torn = whole;
    size_t first_lost = whole.bytes.size();
    for (size_t sector = durable / 512 * 512; sector < whole.bytes.size(); sector += 512) {
      if (random() % 8 != 0) continue;
      const size_t from = std::max(sector, durable);
      const size_t to = std::min(sector + 512, whole.bytes.size());
      torn.bytes.replace(from, to - from, to - from, '\0');
      first_lost = std::min(first_lost, from);
    }
    torn.bytes += std::string(4096, '\0');
    FakeDisk disk;
    Put(disk, torn);
    const auto recovery = RecoverLog(disk, kDir, false);
    ASSERT_TRUE(recovery.ok()) << recovery.error().message;
    size_t kept = 0;
    while (kept + 1 < whole.ends.size() && whole.ends[kept + 1] <= first_lost) ++kept;
    EXPECT_EQ(recovery->last_sequence, kept);
    EXPECT_EQ(Sequences(disk), Range(1, kept));
  }
}

TEST(Recovery, EveryFlippedBitIsNoticed) {
  MadeFile whole = Make(1, 0, kThreeGroups);
  for (size_t i = 0; i < whole.bytes.size() + 50; ++i) {
    for (int bit = 0; bit < 8; bit += 3) {
      FakeDisk disk;
      MadeFile flipped = whole;
      flipped.bytes.resize(whole.bytes.size() + 50, '\0');  // reserved space
      flipped.bytes[i] = static_cast<char>(flipped.bytes[i] ^ (1 << bit));
      Put(disk, flipped);
      LogReport report;
      const Status verified = VerifyLog(disk, kDir, &report);
      EXPECT_TRUE(!verified.ok() || report.torn_bytes > 0) << i;
      const auto recovery = RecoverLog(disk, kDir, false);
      if (i < whole.ends[5]) {
        // Valid records follow: an error that names the place.
        ASSERT_FALSE(recovery.ok()) << i;
        EXPECT_EQ(recovery.error().code, ErrorCode::kCorrupt);
        EXPECT_TRUE(recovery.error().message.starts_with("log/00000000000000000001.log: offset "));
      } else {
        ASSERT_TRUE(recovery.ok()) << i;
        EXPECT_GT(recovery->torn_bytes, 0u);
        EXPECT_EQ(recovery->last_sequence, i < whole.ends[6] ? 5u : 6u);
      }
    }
  }
}

TEST(Recovery, ARepairLosesOnlyTheDamagedRecord) {
  const MadeFile whole = Make(1, 0, kThreeGroups);
  for (size_t i = kFileHeaderBytes; i < whole.ends[5]; ++i) {
    FakeDisk disk;
    MadeFile flipped = whole;
    flipped.bytes[i] = static_cast<char>(flipped.bytes[i] ^ 0x10);
    Put(disk, flipped);
    const auto recovery = RecoverLog(disk, kDir, true);
    ASSERT_TRUE(recovery.ok()) << i << ": " << recovery.error().message;
    size_t lost = 1;
    while (whole.ends[lost] <= i) ++lost;
    std::vector<uint64_t> expected = Range(1, 6);
    std::erase(expected, lost);
    EXPECT_EQ(Sequences(disk), expected) << i;
    EXPECT_EQ(recovery->holes, 1u);
    EXPECT_EQ(recovery->lost_records, 1u);
    EXPECT_EQ(recovery->damaged_bytes, whole.ends[lost] - whole.ends[lost - 1]);
    EXPECT_EQ(recovery->last_sequence, 6u);
    // The damaged bytes are kept, and the log is valid from then on.
    const std::string kept =
        disk.Content("log/damaged-00000000000000000001.log-" + std::to_string(whole.ends[lost - 1]));
    EXPECT_EQ(kept, flipped.bytes.substr(whole.ends[lost - 1], kept.size()));
    ASSERT_TRUE(RecoverLog(disk, kDir, false).ok());
    LogReport report;
    EXPECT_TRUE(VerifyLog(disk, kDir, &report).ok());
    EXPECT_EQ(report.holes, 1u);
    EXPECT_EQ(report.records, 5u);
  }
}

TEST(Recovery, ARepairOfSeveralDamagesAndALargeOne) {
  std::vector<Spec> specs;
  for (int i = 0; i < 400; ++i) specs.push_back({i % 5 == 0, 100});
  const MadeFile whole = Make(1, 0, specs);
  FakeDisk disk;
  MadeFile damaged = whole;
  damaged.bytes[whole.ends[9] + 30] ^= 1;                                   // record 10
  damaged.bytes.replace(whole.ends[99] + 5, 100 * 120, 100 * 120, '\x5a');  // 100 to 200
  damaged.bytes[whole.ends[349]] ^= 1;                                      // 350
  Put(disk, damaged);
  const auto recovery = RecoverLog(disk, kDir, true);
  ASSERT_TRUE(recovery.ok()) << recovery.error().message;
  EXPECT_EQ(recovery->holes, 3u);
  EXPECT_EQ(recovery->lost_records, 1u + 101u + 1u);
  std::vector<std::pair<uint64_t, uint64_t>> lost;
  for (const LostRecords& records : recovery->lost) lost.emplace_back(records.first, records.last);
  EXPECT_EQ(lost, (std::vector<std::pair<uint64_t, uint64_t>>{{10, 10}, {100, 200}, {350, 350}}));
  EXPECT_EQ(Sequences(disk).size(), 400u - 103u);
  EXPECT_EQ(Sequences(disk, nullptr, 150).front(), 201u);
  EXPECT_EQ(Sequences(disk, nullptr, 351).size(), 50u);
}

class SeveralFiles : public testing::Test {
 protected:
  void SetUp() override {
    Put(disk_, first_);
    Put(disk_, second_);
    Put(disk_, third_);
  }
  const MadeFile first_ = Make(1, 0, kThreeGroups);
  const MadeFile second_ = Make(7, 1, kThreeGroups);
  const MadeFile third_ = Make(13, 7, kThreeGroups);
  FakeDisk disk_;
};

TEST_F(SeveralFiles, AreOneLog) {
  EXPECT_EQ(RecoverLog(disk_, kDir, false)->last_sequence, 18u);
  EXPECT_EQ(Sequences(disk_), Range(1, 18));
  for (uint64_t from = 1; from <= 18; ++from) {
    EXPECT_EQ(Sequences(disk_, nullptr, from), Range(from, 18));
  }
  EXPECT_TRUE(Sequences(disk_, nullptr, 19).empty());
  LogReport report;
  ASSERT_TRUE(VerifyLog(disk_, kDir, &report).ok());
  EXPECT_EQ(report.files, 3u);
  EXPECT_EQ(report.records, 18u);
  EXPECT_EQ(report.first_sequence, 1u);
  EXPECT_EQ(report.last_sequence, 18u);
}

TEST_F(SeveralFiles, AMissingOneIsNamed) {
  ASSERT_TRUE(disk_.Remove(LogFilePath(kDir, 7)).ok());
  const auto recovery = RecoverLog(disk_, kDir, false);
  ASSERT_FALSE(recovery.ok());
  EXPECT_EQ(recovery.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(recovery.error().message,
            "log/00000000000000000013.log: the log file before it, log/00000000000000000007.log, "
            "is missing");
  std::optional<Error> error;
  EXPECT_EQ(Sequences(disk_, &error), Range(1, 6));
  EXPECT_TRUE(error.has_value());
  LogReport report;
  EXPECT_FALSE(VerifyLog(disk_, kDir, &report).ok());
  EXPECT_EQ(report.records, 12u);

  const auto repaired = RecoverLog(disk_, kDir, true);
  ASSERT_TRUE(repaired.ok()) << repaired.error().message;
  EXPECT_EQ(repaired->lost_records, 6u);
  EXPECT_TRUE(RecoverLog(disk_, kDir, false).ok());
  EXPECT_EQ(Sequences(disk_).size(), 12u);
  EXPECT_TRUE(VerifyLog(disk_, kDir, &report).ok());
}

TEST_F(SeveralFiles, DamageInAnOlderOneIsFoundByReaderAndVerifyAndMended) {
  for (const bool at_end : {false, true}) {
    auto disk = disk_.Clone();
    MadeFile damaged = second_;
    if (at_end) {
      damaged.bytes.resize(second_.ends[5] + 7);  // record 12 is cut
    } else {
      damaged.bytes[second_.ends[2] + 25] ^= 4;  // 9
    }
    const uint64_t lost = at_end ? 12 : 9;
    Put(*disk, damaged);
    std::optional<Error> error;
    EXPECT_EQ(Sequences(*disk, &error), Range(1, lost - 1));
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, ErrorCode::kCorrupt);
    EXPECT_NE(error->message.find("00007.log: offset "), std::string::npos) << error->message;
    LogReport report;
    EXPECT_FALSE(VerifyLog(*disk, kDir, &report).ok());
    EXPECT_EQ(report.damages, 1u);
    ASSERT_EQ(report.found.size(), 1u);
    EXPECT_EQ(report.found[0], report.first_damage->message);
    EXPECT_EQ(report.records, 17u);
    const auto repaired = RecoverLog(*disk, kDir, true);
    ASSERT_TRUE(repaired.ok()) << repaired.error().message;
    EXPECT_EQ(repaired->lost_records, 1u);
    std::vector<uint64_t> expected = Range(1, 18);
    std::erase(expected, lost);
    EXPECT_EQ(Sequences(*disk), expected);
    EXPECT_TRUE(VerifyLog(*disk, kDir, &report).ok());
  }
}

TEST_F(SeveralFiles, ADamagedHeaderIsRefusedAndMended) {
  for (const MadeFile* made : {&first_, &second_, &third_}) {
    auto disk = disk_.Clone();
    MadeFile damaged = *made;
    damaged.bytes[3] ^= 1;
    Put(*disk, damaged);
    EXPECT_EQ(RecoverLog(*disk, kDir, false).error().code, ErrorCode::kCorrupt);
    LogReport report;
    EXPECT_FALSE(VerifyLog(*disk, kDir, &report).ok());
    EXPECT_EQ(report.records, 18u);
    ASSERT_TRUE(RecoverLog(*disk, kDir, true).ok());
    EXPECT_EQ(Sequences(*disk), Range(1, 18));
    EXPECT_TRUE(VerifyLog(*disk, kDir, &report).ok());
  }
}

TEST_F(SeveralFiles, ACreationThatWasCutLeavesNothing) {
  const std::string header = EncodeFileHeader({19, 13});
  for (size_t size = 0; size < header.size(); ++size) {
    auto disk = disk_.Clone();
    disk->SetContent(LogFilePath(kDir, 19), header.substr(0, size));
    const auto recovery = RecoverLog(*disk, kDir, false);
    ASSERT_TRUE(recovery.ok()) << recovery.error().message;
    EXPECT_EQ(recovery->newest_file, 13u);
    EXPECT_EQ(recovery->last_sequence, 18u);
    EXPECT_EQ(disk->Paths().size(), 3u);
  }
}

TEST_F(SeveralFiles, ANewestFileWithoutRecordsIsFine) {
  disk_.SetContent(LogFilePath(kDir, 19), EncodeFileHeader({19, 13}) + std::string(1000, '\0'));
  const auto recovery = RecoverLog(disk_, kDir, false);
  ASSERT_TRUE(recovery.ok());
  EXPECT_EQ(recovery->newest_file, 19u);
  EXPECT_EQ(recovery->last_sequence, 18u);
  EXPECT_EQ(Sequences(disk_), Range(1, 18));
}

TEST_F(SeveralFiles, OtherFilesInTheFolderAreLeftAlone) {
  for (const char* name :
       {"log/LOCK", "log/1.log", "log/00000000000000000001.log.tmp", "log/0000000000000000000x.log"}) {
    disk_.SetContent(name, "something");
  }
  EXPECT_EQ(RecoverLog(disk_, kDir, false)->files, 3u);
  EXPECT_EQ(Sequences(disk_), Range(1, 18));
}

TEST_F(SeveralFiles, ANewerFormatIsRefusedEvenByARepair) {
  ByteWriter writer;
  writer.Raw("attn-log");
  writer.U32(2);
  writer.U32(0);
  writer.U64(19);
  writer.U64(13);
  writer.U32(0);
  writer.U32(Crc32c(writer.view()));
  disk_.SetContent(LogFilePath(kDir, 19), writer.Take() + "what only the newer one knows");
  for (const bool repair : {false, true}) {
    EXPECT_EQ(RecoverLog(disk_, kDir, repair).error().code, ErrorCode::kInvalid);
  }
}

TEST_F(SeveralFiles, APromisedRecordThatIsMissingIsAnError) {
  auto reader = FileReader::Open(kDir, 15, {.last_sequence = 20, .disk = &disk_});
  RecordView record;
  for (uint64_t sequence = 15; sequence <= 18; ++sequence) {
    ASSERT_TRUE(*reader->Next(&record));
    EXPECT_EQ(record.sequence, sequence);
  }
  EXPECT_EQ(reader->Next(&record).error().code, ErrorCode::kCorrupt);
}

TEST_F(SeveralFiles, AReaderStopsWhereItIsToldAndGoesOnWhenTold) {
  auto reader = FileReader::Open(kDir, 5, {.last_sequence = 6, .disk = &disk_});
  RecordView record;
  std::vector<uint64_t> found;
  const auto read = [&] {
    while (*reader->Next(&record)) found.push_back(record.sequence);
  };
  read();
  EXPECT_EQ(found, Range(5, 6));
  reader->ReadTo(14);
  read();
  EXPECT_EQ(found, Range(5, 14));
  // Appends more to the newest file, and begins a new one.
  MadeFile longer = third_;
  const std::string payload = Payload(19, 50);
  AppendRecord({{19, 1, 2, payload}, kGroupStart}, &longer.bytes);
  reader->ReadTo(18);
  read();
  Put(disk_, longer);
  Put(disk_, Make(20, 13, kThreeGroups));
  auto second = FileReader::Open(kDir, 5, {.last_sequence = 22, .disk = &disk_});
  reader = std::move(second);
  found.clear();
  read();
  EXPECT_EQ(found, Range(5, 22));
}

}  // namespace
}  // namespace attune
