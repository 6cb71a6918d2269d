#include "log/file/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

namespace attune {
namespace {

// How often the end of a log that may be in use is read again before it counts as damaged.
constexpr int kTries = 20;
constexpr auto kPause = std::chrono::milliseconds(10);
constexpr size_t kReadTogetherBytes = 1 << 20;  // of payloads, returned in one block

}  // namespace

Result<FileReader> FileReader::Open(const std::string& dir, uint64_t from_sequence, FileReaderOptions options) {
  FileReader reader(dir, options);
  const auto files = ListLogFiles(*options.disk, dir);
  if (!files.ok()) return files.error();
  reader.next_sequence_ = std::max<uint64_t>(from_sequence, 1);
  if (files->empty()) return reader;
  if (files->front() > reader.next_sequence_) {
    return Error{ErrorCode::kNotFound, fmt::format("{}: the log begins at record {}; {} was removed", dir,
                                                   files->front(), reader.next_sequence_)};
  }
  const auto after = std::upper_bound(files->begin(), files->end(), reader.next_sequence_);
  auto scanner = LogFileScanner::Open(*options.disk, dir, *(after - 1));
  if (!scanner.ok()) return scanner.error();
  reader.scanner_ = std::move(*scanner);
  return reader;
}

void FileReader::ReadTo(uint64_t last_sequence) {
  options_.last_sequence = last_sequence;
  if (scanner_) scanner_->Refresh();
}

Result<std::unique_ptr<LogReader>> NewFileReader(const std::string& dir, uint64_t from_sequence, FileReaderOptions options) {
  auto reader = FileReader::Open(dir, from_sequence, options);
  if (!reader.ok()) return reader.error();
  return std::unique_ptr<LogReader>(std::make_unique<FileReader>(std::move(reader).value()));
}

Result<DurableBlock> FileReader::NextBlock() {
  if (!failure_.ok()) return std::exchange(failure_, Status()).error();
  auto block = std::make_shared<RecordBlock>();
  std::vector<size_t> ends;  // offsets, since `bytes` moves while it grows
  RecordView record;
  while (block->bytes.size() < kReadTogetherBytes) {
    const auto more = NextRecord(&record);
    if (!more.ok() && ends.empty()) return more.error();
    if (!more.ok()) failure_ = more.error();
    if (!more.ok() || !*more) break;
    block->bytes.append(record.payload);
    block->records.push_back(record);
    ends.push_back(block->bytes.size());
  }
  if (ends.empty()) return DurableBlock();
  size_t begin = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    block->records[i].payload = std::string_view(block->bytes).substr(begin, ends[i] - begin);
    begin = ends[i];
  }
  return DurableBlock(std::move(block));
}

Result<bool> FileReader::NextRecord(RecordView* record) {
  if (options_.last_sequence && next_sequence_ > *options_.last_sequence) return false;
  while (true) {
    const auto found = NextInFiles(record);
    if (!found.ok() || !*found) return found;
    if (record->type == kHoleType || record->sequence < next_sequence_) continue;
    if (options_.last_sequence && record->sequence > *options_.last_sequence) {
      // After a hole that covers the end. A later call finds the record again after ReadTo.
      next_sequence_ = record->sequence;
      auto again = Open(dir_, next_sequence_, options_);
      if (!again.ok()) return again.error();
      scanner_ = std::move(again->scanner_);
      return false;
    }
    next_sequence_ = record->sequence + 1;
    return true;
  }
}

Result<bool> FileReader::NextInFiles(RecordView* record) {
  int tries = 0;
  while (true) {
    if (scanner_) {
      const auto step = scanner_->Next();
      if (!step.ok()) return step.error();
      if (*step == LogFileScanner::Step::kRecord) {
        *record = scanner_->record();
        return true;
      }
    }
    const auto moved = GoToNextFile();
    if (moved.ok() && *moved) continue;
    const Status end = moved.ok() ? CheckEnd() : Status(moved.error());
    if (end.ok()) return false;
    // A partial write by another process looks like damage until it is complete.
    if (options_.last_sequence || ++tries > kTries || !scanner_) return end.error();
    std::this_thread::sleep_for(kPause);
    scanner_->Refresh();
  }
}

// False if the current file is the newest.
Result<bool> FileReader::GoToNextFile() {
  const auto files = ListLogFiles(*options_.disk, dir_);
  if (!files.ok()) return files.error();
  auto next = files->begin();
  if (scanner_) {
    // Compares names: the current file may be empty, so the next sequence does not identify it.
    next = std::find_if(files->begin(), files->end(),
                        [&](uint64_t first) { return LogFilePath(dir_, first) > scanner_->path(); });
  }
  if (next == files->end()) return false;
  if (scanner_) {
    const auto damage = scanner_->Examine();
    if (!damage.ok()) return damage.error();
    const bool whole = scanner_->expected() == *next || scanner_->after_hole();
    if (damage->has_value() || !whole) {
      return Error{ErrorCode::kCorrupt, fmt::format("{}: offset {}: record {} is damaged or missing", scanner_->path(),
                                                    scanner_->offset(), scanner_->expected())};
    }
  }
  auto scanner = LogFileScanner::Open(*options_.disk, dir_, *next);
  if (!scanner.ok()) return scanner.error();
  scanner_ = std::move(*scanner);
  return true;
}

// The newest file ends here. That is an error only if more records were promised.
Status FileReader::CheckEnd() {
  if (!scanner_) return {};
  const bool promised = options_.last_sequence && scanner_->expected() <= *options_.last_sequence;
  if (!promised && options_.last_sequence) return {};
  const auto damage = scanner_->Examine();
  if (!damage.ok()) return damage.error();
  if (!damage->has_value() && !promised) return {};
  if (damage->has_value() && (*damage)->torn && !promised) return {};
  return Error{ErrorCode::kCorrupt, fmt::format("{}: offset {}: record {} is damaged or missing", scanner_->path(),
                                                scanner_->offset(), scanner_->expected())};
}

}  // namespace attune
