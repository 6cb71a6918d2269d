#include "log/file/verify.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "log/file/log_file.h"

namespace attune {
namespace {

void AddDamage(std::string line, LogReport* report) {
  report->damages += 1;
  if (!report->first_damage) report->first_damage = Error{ErrorCode::kCorrupt, line};
  if (report->found.size() < kMostFound) report->found.push_back(std::move(line));
}

void Count(const FileRecord& record, LogReport* report) {
  if (record.type == kHoleType) {
    report->holes += 1;
    return;
  }
  report->records += 1;
  report->payload_bytes += record.payload.size();
  if (report->first_sequence == 0) report->first_sequence = record.sequence;
  report->last_sequence = record.sequence;
}

// `previous` and `next` are the first sequences of the adjacent files; 0: none.
Status VerifyFile(LogFileScanner& scanner, uint64_t previous, uint64_t next, LogReport* report) {
  if (!scanner.header()) {
    AddDamage(fmt::format("{}: offset 0: the file header is damaged", scanner.path()), report);
  } else if (previous != 0 && scanner.header()->previous != previous) {
    AddDamage(fmt::format("{}: the log file before it is missing", scanner.path()), report);
  }
  while (true) {
    const auto step = scanner.Next();
    if (!step.ok()) return step.error();
    if (*step == LogFileScanner::Step::kRecord) {
      Count(scanner.record(), report);
      continue;
    }
    const auto damage = scanner.Examine();
    if (!damage.ok()) return damage.error();
    if (!damage->has_value()) break;
    if ((*damage)->torn && next == 0) {
      report->torn_bytes += (*damage)->last_byte - (*damage)->offset;
      return {};
    }
    AddDamage(fmt::format("{}: offset {}: record {} is damaged", scanner.path(), scanner.offset(), scanner.expected()),
              report);
    if ((*damage)->next_offset == 0) return {};
    scanner.SkipTo((*damage)->next_offset);
  }
  if (next != 0 && scanner.expected() != next && !scanner.after_hole()) {
    AddDamage(fmt::format("{}: offset {}: records {} to {} are missing", scanner.path(), scanner.offset(),
                          scanner.expected(), next - 1),
              report);
  }
  return {};
}

}  // namespace

Status VerifyLog(Disk& disk, const std::string& dir, LogReport* report) {
  *report = LogReport();
  const auto files = ListLogFiles(disk, dir);
  if (!files.ok()) return files.error();
  for (size_t i = 0; i < files->size(); ++i) {
    auto scanner = LogFileScanner::OpenDamaged(disk, dir, (*files)[i]);
    if (!scanner.ok()) return scanner.error();
    const uint64_t previous = i == 0 ? 0 : (*files)[i - 1];
    const uint64_t next = i + 1 < files->size() ? (*files)[i + 1] : 0;
    if (Status status = VerifyFile(*scanner, previous, next, report); !status.ok()) return status;
    report->files += 1;
  }
  return report->first_damage ? Status(*report->first_damage) : Status();
}

}  // namespace attune
