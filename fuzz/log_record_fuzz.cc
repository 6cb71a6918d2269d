// The bytes of a log file. If the first byte is odd, the checksums are corrected, so that the code after the checksum
// test is reached. For any bytes, opening either reports the damage or leaves a log that can be read completely.
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "fake_disk/fake_disk.h"
#include "log/file/file_reader.h"
#include "log/file/log_file.h"
#include "log/file/recovery.h"
#include "log/file/verify.h"

namespace attune {
namespace {

constexpr char kDir[] = "log";

// Corrects the checksums of the header and of the records, as far as records follow each other.
void Seal(std::string* file) {
  if (file->size() < kFileHeaderBytes) return;
  const uint32_t header = Crc32c(std::string_view(*file).substr(0, 36));
  std::memcpy(file->data() + 36, &header, 4);
  FileRecord record;
  uint32_t payload_bytes = 0;
  for (size_t at = kFileHeaderBytes; at + kRecordHeaderBytes <= file->size();
       at += kRecordHeaderBytes + payload_bytes) {
    const std::string_view rest = std::string_view(*file).substr(at);
    if (!ParseRecordHeader(rest, &record, &payload_bytes) || rest.size() < kRecordHeaderBytes + payload_bytes) return;
    const uint32_t crc = Crc32c(rest.substr(kRecordHeaderBytes, payload_bytes), Crc32c(rest.substr(0, 16)));
    std::memcpy(file->data() + at + 16, &crc, 4);
  }
}

void ReadSingleRecords(std::string_view bytes) {
  FileRecord record;
  if (ParseRecord(bytes, &record)) {
    ATTUNE_CHECK(record.sequence != 0 && record.payload.size() <= kMaxPayloadBytes, "a record keeps the limits");
    std::string written;
    AppendRecord(record, &written);
    ATTUNE_CHECK(bytes.starts_with(written), "a record is written as it was read");
  }
}

void OpenAsLog(const std::string& file, bool repair) {
  const auto header = ParseFileHeader(file, "fuzz");
  const uint64_t first = header.ok() ? header->first_sequence : 1;
  FakeDisk disk;
  ATTUNE_CHECK(disk.MakeDir(kDir).ok(), "folders can be made in memory");
  disk.SetContent(LogFilePath(kDir, first), file);
  LogReport report;
  (void)VerifyLog(disk, kDir, &report);
  const auto recovery = RecoverLog(disk, kDir, repair);
  if (!recovery.ok()) {
    ATTUNE_CHECK(recovery.error().code == ErrorCode::kCorrupt || recovery.error().code == ErrorCode::kInvalid,
                 "damage is called damage");
    return;
  }
  ATTUNE_CHECK(recovery->newest_file == 0 || VerifyLog(disk, kDir, &report).ok(), "what was recovered has no damage");
  auto reader = FileReader::Open(kDir, recovery->first_sequence, {.disk = &disk});
  ATTUNE_CHECK(reader.ok(), "what was recovered can be read");
  RecordView record;
  uint64_t last = 0;
  for (auto more = reader->Next(&record);; more = reader->Next(&record)) {
    ATTUNE_CHECK(more.ok(), "what was recovered can be read to its end");
    if (!*more) break;
    ATTUNE_CHECK(record.sequence > last, "sequences rise");
    last = record.sequence;
  }
  // After a hole at the end the last record is unknown, and the next sequence is greater than all lost ones.
  ATTUNE_CHECK(last <= recovery->last_sequence, "no record lies behind the end");
}

}  // namespace
}  // namespace attune

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  ReadSingleRecords(file);
  if (data[0] & 1) Seal(&file);
  OpenAsLog(file, (data[0] & 2) != 0);
  return 0;
}
