#include "log/file/log_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace attune {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
// A disk writes a sector completely or not at all, so an interrupted write leaves whole sectors of zeros.
constexpr uint64_t kSectorBytes = 512;
constexpr std::string_view kSuffix = ".log";
constexpr size_t kNameDigits = 20;
constexpr size_t kSequenceOffset = 8;  // in a record's header

bool AllZero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

}  // namespace

std::string LogFilePath(const std::string& dir, uint64_t first_sequence) {
  return fmt::format("{}/{:020}{}", dir, first_sequence, kSuffix);
}

Result<std::vector<uint64_t>> ListLogFiles(Disk& disk, const std::string& dir) {
  auto names = disk.List(dir);
  if (!names.ok()) return names.error();
  std::vector<uint64_t> sequences;
  for (const std::string& name : *names) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) continue;
    uint64_t sequence = 0;
    const char* end = name.data() + kNameDigits;
    const auto parsed = std::from_chars(name.data(), end, sequence);
    // Sequences begin at 1.
    if (parsed.ec == std::errc() && parsed.ptr == end && sequence != 0) sequences.push_back(sequence);
  }
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

Result<LogFileScanner> LogFileScanner::OpenDamaged(Disk& disk, const std::string& dir, uint64_t first_sequence) {
  const std::string path = LogFilePath(dir, first_sequence);
  auto file = disk.Open(path, Disk::Mode::kRead);
  if (!file.ok()) return file.error();
  LogFileScanner scanner(std::move(*file), path, first_sequence);
  const auto bytes = scanner.View(0, kFileHeaderBytes);
  if (!bytes.ok()) return bytes.error();
  const auto header = ParseFileHeader(*bytes, path);
  if (header.ok() && header->first_sequence == first_sequence) {
    scanner.header_ = *header;
  } else if (!header.ok() && header.error().code != ErrorCode::kCorrupt) {
    return header.error();
  }
  return scanner;
}

Result<LogFileScanner> LogFileScanner::Open(Disk& disk, const std::string& dir, uint64_t first_sequence) {
  auto scanner = OpenDamaged(disk, dir, first_sequence);
  if (scanner.ok() && !scanner->header_) {
    return Error{ErrorCode::kCorrupt,
                 fmt::format("{}: offset 0: the file header is damaged or of another file", scanner->path_)};
  }
  return scanner;
}

// Up to `size` bytes at `offset`, fewer at the end of the file. Valid until the next call.
Result<std::string_view> LogFileScanner::View(uint64_t offset, size_t size) {
  if (offset < block_offset_ || offset + size > block_offset_ + block_size_) {
    const size_t wanted = std::max(size, kBlockBytes);
    if (block_.size() < wanted) block_.resize(wanted);
    block_size_ = 0;
    const auto read = file_->Read(offset, block_.data(), wanted);
    if (!read.ok()) return read.error();
    block_offset_ = offset;
    block_size_ = *read;
  }
  const size_t start = offset - block_offset_;
  return std::string_view(block_.data(), block_size_).substr(start, size);
}

Result<bool> LogFileScanner::RecordAt(uint64_t offset, FileRecord* record) {
  const auto header = View(offset, kRecordHeaderBytes);
  if (!header.ok()) return header.error();
  uint32_t payload_bytes = 0;
  if (header->size() < kRecordHeaderBytes) return false;
  if (!ParseRecordHeader(*header, record, &payload_bytes)) return false;
  const auto whole = View(offset, kRecordHeaderBytes + payload_bytes);
  if (!whole.ok()) return whole.error();
  return ParseRecord(*whole, record);
}

// Whether a record with this sequence is possible at `offset`: the bytes since the position where expected_ was due
// limit how many records can be lost there.
bool LogFileScanner::MayBeNext(uint64_t sequence, uint64_t offset) const {
  return sequence >= expected_ && sequence - expected_ <= (offset - anchor_) / kRecordHeaderBytes;
}

Result<LogFileScanner::Step> LogFileScanner::Next() {
  const auto header = View(offset_, kRecordHeaderBytes);
  if (!header.ok()) return header.error();
  if (AllZero(*header)) return Step::kEnd;
  const auto good = RecordAt(offset_, &record_);
  if (!good.ok()) return good.error();
  if (!*good || !MayBeNext(record_.sequence, offset_)) return Step::kBad;
  offset_ += kRecordHeaderBytes + record_.payload.size();
  const bool hole = record_.type == kHoleType;
  expected_ = hole ? record_.sequence : record_.sequence + 1;
  if (!hole) anchor_ = offset_;
  return Step::kRecord;
}

void LogFileScanner::SkipTo(uint64_t offset) { offset_ = offset; }

// The first valid record at or after `from` that can follow the records read; 0: none.
Result<uint64_t> LogFileScanner::FindRecord(uint64_t from) {
  for (uint64_t offset = from;;) {
    const auto bytes = View(offset, kBlockBytes);
    if (!bytes.ok()) return bytes.error();
    if (bytes->size() < kRecordHeaderBytes) return 0;
    const size_t starts = bytes->size() - kRecordHeaderBytes + 1;
    size_t i = 0;
    for (; i < starts; ++i) {
      uint64_t sequence;
      std::memcpy(&sequence, bytes->data() + i + kSequenceOffset, sizeof sequence);
      if (MayBeNext(sequence, offset + i)) break;
    }
    offset += i;
    if (i == starts) continue;
    FileRecord record;
    const auto good = RecordAt(offset, &record);
    if (!good.ok()) return good.error();
    if (*good) return offset;
    ++offset;
  }
}

// Whether any group starts at or after the valid record at `from`.
Result<bool> LogFileScanner::LaterGroupFollows(uint64_t from) {
  for (uint64_t offset = from; offset != 0;) {
    FileRecord record;
    const auto good = RecordAt(offset, &record);
    if (!good.ok()) return good.error();
    if (*good && record.sequence >= expected_) {
      if (record.flags & kGroupStart) return true;
      offset += kRecordHeaderBytes + record.payload.size();
      continue;
    }
    const auto next = FindRecord(offset + 1);
    if (!next.ok()) return next.error();
    offset = *next;
  }
  return false;
}

Result<bool> LogFileScanner::HasLostSector(uint64_t from, uint64_t to) {
  while (from < to) {
    const uint64_t end = (from / kSectorBytes + 1) * kSectorBytes;
    const auto bytes = View(from, end - from);
    if (!bytes.ok()) return bytes.error();
    if (AllZero(*bytes)) return true;
    from = end;
  }
  return false;
}

// The end of the last byte that is not zero, at least `from`.
Result<uint64_t> LogFileScanner::LastByte(uint64_t from) {
  uint64_t last = from;
  for (uint64_t offset = from;;) {
    const auto bytes = View(offset, kBlockBytes);
    if (!bytes.ok()) return bytes.error();
    if (bytes->empty()) return last;
    const size_t found = bytes->find_last_not_of('\0');
    if (found != std::string_view::npos) last = offset + found + 1;
    offset += bytes->size();
  }
}

Result<std::optional<Damage>> LogFileScanner::Examine() {
  Damage damage;
  damage.offset = offset_;
  const auto last_byte = LastByte(offset_);
  if (!last_byte.ok()) return last_byte.error();
  damage.last_byte = *last_byte;
  if (damage.last_byte == offset_) return std::optional<Damage>();
  const auto next = FindRecord(offset_ + 1);
  if (!next.ok()) return next.error();
  damage.next_offset = *next;
  if (*next == 0) {
    damage.torn = true;
    return std::optional<Damage>(damage);
  }
  const auto later = LaterGroupFollows(*next);
  if (!later.ok()) return later.error();
  if (!*later) {
    // Within the last group: bytes that were never written mean an interrupted write, bytes that changed mean damage.
    const auto lost = HasLostSector(offset_, *next);
    if (!lost.ok()) return lost.error();
    damage.torn = *lost;
  }
  return std::optional<Damage>(damage);
}

}  // namespace attune
