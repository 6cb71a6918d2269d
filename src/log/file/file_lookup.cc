#include "log/file/file_lookup.h"

#include <fmt/format.h>

#include <algorithm>

#include "log/file/log_file.h"

namespace attune {
namespace {

constexpr uint64_t kMarkBytes = 64 << 10;

}  // namespace

Result<std::unique_ptr<FileLookup>> FileLookup::Open(const std::string& dir, Disk* disk) {
  const auto files = ListLogFiles(*disk, dir);
  if (!files.ok()) return files.error();
  auto lookup = std::unique_ptr<FileLookup>(new FileLookup(dir, disk));
  for (const uint64_t first : *files) lookup->files_[first] = {{first, kFileHeaderBytes}};
  return lookup;
}

void FileLookup::Note(uint64_t file_first_sequence, uint64_t sequence, uint64_t offset) {
  const std::lock_guard hold(mutex_);
  AddMark(&files_[file_first_sequence], {sequence, offset});
}

// Keeps a minimum distance between marks. Requires mutex_.
void FileLookup::AddMark(std::vector<Mark>* marks, Mark mark) {
  const auto after = std::upper_bound(marks->begin(), marks->end(), mark.offset,
                                      [](uint64_t offset, const Mark& m) { return offset < m.offset; });
  if (after != marks->begin() && mark.offset - (after - 1)->offset < kMarkBytes) return;
  marks->insert(after, mark);
}

std::optional<std::pair<uint64_t, FileLookup::Mark>> FileLookup::Before(uint64_t sequence) {
  const std::lock_guard hold(mutex_);
  const auto file = files_.upper_bound(sequence);
  if (file == files_.begin()) return std::nullopt;
  const auto& [first, marks] = *std::prev(file);
  const auto after =
      std::upper_bound(marks.begin(), marks.end(), sequence, [](uint64_t s, const Mark& m) { return s < m.sequence; });
  if (after == marks.begin()) return std::nullopt;
  return std::pair{first, *(after - 1)};
}

Result<std::vector<std::optional<FoundRecord>>> FileLookup::Read(std::span<const uint64_t> sequences) {
  const std::lock_guard one(reading_);
  std::vector<std::optional<FoundRecord>> found(sequences.size());
  std::unique_ptr<DiskFile> file;
  uint64_t opened = 0;  // the first sequence of `file`
  Mark reached{0, 0};   // in that file
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto from = Before(sequences[i]);
    if (!from) continue;
    if (!file || opened != from->first) {
      auto next = disk_.Open(LogFilePath(dir_, from->first), Disk::Mode::kRead);
      if (!next.ok()) {
        if (next.error().code != ErrorCode::kNotFound) return next.error();
        const std::lock_guard hold(mutex_);
        files_.erase(from->first);
        continue;
      }
      file = std::move(*next);
      opened = from->first;
      reached = from->second;
      block_size_ = 0;  // of another file, or read before its end was written
    }
    // Increasing sequences are read in one pass.
    if (reached.sequence <= from->second.sequence || reached.sequence > sequences[i]) reached = from->second;
    auto record = ReadFrom(*file, from->first, &reached, sequences[i]);
    if (!record.ok()) return record.error();
    found[i] = std::move(record).value();
  }
  return found;
}

Result<std::optional<FoundRecord>> FileLookup::ReadFrom(DiskFile& file, uint64_t file_first_sequence, Mark* reached,
                                                            uint64_t sequence) {
  Mark& mark = *reached;
  const auto damaged = [&] {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: damage at offset {}; attune verify has details",
                                                  LogFilePath(dir_, file_first_sequence), mark.offset)};
  };
  while (true) {
    auto bytes = View(file, mark.offset, kRecordHeaderBytes);
    FileRecord record;
    uint32_t payload_bytes = 0;
    if (!bytes.ok()) return bytes.error();
    // The end of the file, or of its written part.
    if (bytes->size() < kRecordHeaderBytes || bytes->substr(0, kRecordHeaderBytes).find_first_not_of('\0') == bytes->npos) {
      return std::optional<FoundRecord>();
    }
    if (!ParseRecordHeader(*bytes, &record, &payload_bytes)) return damaged();
    bytes = View(file, mark.offset, kRecordHeaderBytes + payload_bytes);
    if (!bytes.ok()) return bytes.error();
    if (!ParseRecord(*bytes, &record) || record.sequence < mark.sequence) return damaged();
    if (record.sequence > sequence) return std::optional<FoundRecord>();  // a repair replaced it by a hole
    std::optional<FoundRecord> found;
    if (record.sequence == sequence && record.type != kHoleType) found = FoundRecord{record.type, record.shard, std::string(record.payload)};
    mark.offset += kRecordHeaderBytes + payload_bytes;
    mark.sequence = record.type == kHoleType ? record.sequence : record.sequence + 1;
    if (found) return found;
    const std::lock_guard hold(mutex_);
    if (const auto marks = files_.find(file_first_sequence); marks != files_.end()) AddMark(&marks->second, mark);
  }
}

Result<std::string_view> FileLookup::View(DiskFile& file, uint64_t offset, size_t size) {
  if (offset < block_offset_ || offset + size > block_offset_ + block_size_) {
    const size_t wanted = std::max<size_t>(size, kMarkBytes);
    if (block_.size() < wanted) block_.resize(wanted);
    block_size_ = 0;
    const auto read = file.Read(offset, block_.data(), wanted);
    if (!read.ok()) return read.error();
    block_offset_ = offset;
    block_size_ = *read;
  }
  return std::string_view(block_.data(), block_size_).substr(offset - block_offset_, size);
}

}  // namespace attune
