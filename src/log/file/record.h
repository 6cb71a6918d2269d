// The bytes of the log: records, and the header of a log file. docs/formats.md has a worked example.
//
//   log       := file*                       `<first sequence, 20 digits>.log`, ordered by name
//   file      := file_header record* zeros   zeros: space reserved ahead, only in the newest file
//   file_header (40 bytes, the same layout in every version) :=
//                magic            8 bytes       "attn-log"
//                version          u32           1
//                reserved         u32           0
//                first_sequence   u64           as in the name
//                previous         u64           first_sequence of the file before it, 0: none
//                reserved         u32           0
//                crc              u32           CRC-32C of the 36 bytes before it
//   record    := record_header payload
//   record_header (20 bytes) :=
//                length           u32           of the payload; at most 16 MiB
//                type             u8            defined by the writer; 0 is a hole
//                shard            u8
//                flags            u16           bit 0: first record of a group; other bits 0
//                sequence         u64           1, 2, 3 … without gaps, across files
//                crc              u32           CRC-32C of the 16 bytes before it and the payload
//
// Everything is little endian. A *group* is what one write and one sync made durable together. A group is written only
// after the previous one is durable. So an invalid record before the start of a later group was durable once: that is
// damage. An invalid record of the last group may be a write that a power cut interrupted.
//
// A *hole* replaces damaged records after a repair: its type is 0, its sequence is the first one lost, and its payload
// is ignored (the damaged bytes are kept in a file next to the log). The next record may have any later sequence.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/record.h"

namespace attune {

inline constexpr uint32_t kLogVersion = 1;
inline constexpr size_t kFileHeaderBytes = 40;
inline constexpr size_t kRecordHeaderBytes = 20;
inline constexpr uint8_t kHoleType = 0;
inline constexpr uint16_t kGroupStart = 1;

// A record in a log file.
struct FileRecord : RecordView {
  uint16_t flags = 0;
};

// Appends the record's bytes. The payload is at most kMaxPayloadBytes.
void AppendRecord(const FileRecord& record, std::string* out);

// The same in two steps, for a writer that fills bytes under a lock and should not compute checksums there.
// AppendUnsealed leaves the checksum 0. SealRecords computes the checksums of all records in `block->bytes`, which only
// AppendUnsealed may have written, and lists them in `block->records`.
void AppendUnsealed(const FileRecord& record, std::string* out);
void SealRecords(RecordBlock* block);

// Parses a header without its payload. Returns false if no record can begin like this. `bytes` has at least
// kRecordHeaderBytes. A length above kMaxPayloadBytes counts as damage, so a scan never reads gigabytes that do not
// exist.
bool ParseRecordHeader(std::string_view bytes, FileRecord* record, uint32_t* payload_bytes);

// Parses a record at the start of `bytes`. Returns false unless it is complete and its checksum matches.
bool ParseRecord(std::string_view bytes, FileRecord* record);

struct FileHeader {
  uint64_t first_sequence = 0;
  uint64_t previous = 0;
};

std::string EncodeFileHeader(const FileHeader& header);

// kCorrupt if the bytes are no header, kInvalid if a newer version wrote the file. `path` is used in the message.
Result<FileHeader> ParseFileHeader(std::string_view bytes, const std::string& path);

}  // namespace attune
