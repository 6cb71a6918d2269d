#include "log/file/record.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace attune {
namespace {

constexpr std::string_view kMagic = "attn-log";
constexpr size_t kRecordCrcOffset = 16;
constexpr size_t kFileCrcOffset = 36;

// Computes the checksum of the record that begins there.
void Seal(char* record, size_t payload_bytes) {
  const uint32_t of_header = Crc32c({record, kRecordCrcOffset});
  const uint32_t crc = Crc32c({record + kRecordHeaderBytes, payload_bytes}, of_header);
  std::memcpy(record + kRecordCrcOffset, &crc, 4);
}

}  // namespace

void AppendUnsealed(const FileRecord& record, std::string* out) {
  char header[kRecordHeaderBytes] = {};
  const uint32_t length = static_cast<uint32_t>(record.payload.size());
  std::memcpy(header, &length, 4);
  header[4] = static_cast<char>(record.type);
  header[5] = static_cast<char>(record.shard);
  std::memcpy(header + 6, &record.flags, 2);
  std::memcpy(header + 8, &record.sequence, 8);
  out->append(header, kRecordHeaderBytes);
  out->append(record.payload);
}

void AppendRecord(const FileRecord& record, std::string* out) {
  const size_t begin = out->size();
  AppendUnsealed(record, out);
  Seal(out->data() + begin, record.payload.size());
}

void SealRecords(RecordBlock* block) {
  std::string& bytes = block->bytes;
  for (size_t at = 0; at < bytes.size();) {
    FileRecord record;
    uint32_t length = 0;
    ATTUNE_CHECK(ParseRecordHeader(std::string_view(bytes).substr(at), &record, &length), "AppendUnsealed wrote a header here");
    Seal(bytes.data() + at, length);
    record.payload = std::string_view(bytes).substr(at + kRecordHeaderBytes, length);
    block->records.push_back(record);
    at += kRecordHeaderBytes + length;
  }
}

bool ParseRecordHeader(std::string_view bytes, FileRecord* record, uint32_t* payload_bytes) {
  ByteReader reader(bytes.substr(0, kRecordHeaderBytes));
  *payload_bytes = reader.U32();
  record->type = reader.U8();
  record->shard = reader.U8();
  record->flags = reader.U16();
  record->sequence = reader.U64();
  return reader.ok() && *payload_bytes <= kMaxPayloadBytes && record->flags <= kGroupStart && record->sequence != 0;
}

bool ParseRecord(std::string_view bytes, FileRecord* record) {
  uint32_t payload_bytes = 0;
  if (bytes.size() < kRecordHeaderBytes) return false;
  if (!ParseRecordHeader(bytes, record, &payload_bytes)) return false;
  if (bytes.size() - kRecordHeaderBytes < payload_bytes) return false;
  record->payload = bytes.substr(kRecordHeaderBytes, payload_bytes);
  uint32_t crc;
  std::memcpy(&crc, bytes.data() + kRecordCrcOffset, 4);
  return crc == Crc32c(record->payload, Crc32c(bytes.substr(0, kRecordCrcOffset)));
}

std::string EncodeFileHeader(const FileHeader& header) {
  ByteWriter writer;
  writer.Raw(kMagic);
  writer.U32(kLogVersion);
  writer.U32(0);
  writer.U64(header.first_sequence);
  writer.U64(header.previous);
  writer.U32(0);
  writer.U32(Crc32c(writer.view()));
  return writer.Take();
}

Result<FileHeader> ParseFileHeader(std::string_view bytes, const std::string& path) {
  ByteReader reader(bytes.substr(0, kFileHeaderBytes));
  const bool magic_fits = reader.Raw(kMagic.size()) == kMagic;
  const uint32_t version = reader.U32();
  reader.U32();
  FileHeader header;
  header.first_sequence = reader.U64();
  header.previous = reader.U64();
  reader.U32();
  const uint32_t crc = reader.U32();
  if (!reader.ok() || !magic_fits || crc != Crc32c(bytes.substr(0, kFileCrcOffset))) {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: offset 0: the file header is damaged", path)};
  }
  if (version > kLogVersion) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("{}: format version {} is newer than this program reads ({}): use the "
                             "newer program that wrote it",
                             path, version, kLogVersion)};
  }
  return header;
}

}  // namespace attune
