#include "simulator/work.h"

#include <fmt/format.h>

#include <bit>
#include <set>
#include <string>

#include "oracle/identity.h"

namespace attune::simulate {
namespace {

struct Reasons {
  uint64_t records = 0;   // events
  uint64_t meetings = 0;  // merges, un-merges, other plans
  uint64_t unmerges = 0;
  std::set<std::string> known;  // people whom records asked to be merged into others, and who were known
  uint64_t duplicates = 0;      // records that ask for a merge and whose message id came before
};

// A record that was a duplicate counts as if it had merged: so the bound is rather too high.
Reasons ReasonsIn(const LogContents& log, const std::function<const oracle::Record&(const LogRecord&)>& record_of) {
  Reasons reasons;
  oracle::Identity identity;
  std::set<std::string> ids;
  for (const LogRecord& record : log) {
    if (record.type == RecordType::kPlan) ++reasons.meetings;
    if (record.type == RecordType::kUndoMerge) {
      identity.Undo(ReadUnmerge(record).id);
      ++reasons.meetings;
      ++reasons.unmerges;
    }
    if (!HoldsEvent(static_cast<uint8_t>(record.type))) continue;
    ++reasons.records;
    const oracle::Record& event = record_of(record);
    const oracle::Who who = oracle::WhoOf(event);
    const bool links = record.type == RecordType::kLinking;
    if (!ids.insert(event.id).second) reasons.duplicates += links;
    const std::string other = links ? identity.PersonOf(who.anonymous) : "";
    const bool merges = identity.TakeIn(event).has_value();
    reasons.meetings += merges;
    if (links && !merges) reasons.known.insert(other);
  }
  return reasons;
}

}  // namespace

std::string BeyondBounds(const LifeCounts& work, uint64_t starts, const LogContents& log, const Crowd* crowd,
                         const std::function<const oracle::Record&(const LogRecord&)>& record_of) {
  const Reasons reasons = ReasonsIn(log, record_of);
  std::string beyond;
  const auto hold = [&](const char* what, uint64_t found, uint64_t most) {
    if (found > most) beyond += fmt::format("{}{} {}, at most {}", beyond.empty() ? "" : "; ", found, what, most);
  };
  hold("bytes read by loops", work.loop_bytes_read, kMostLoopBytesRead);
  hold("meetings of all loops", work.meetings, reasons.meetings + reasons.known.size() * starts + reasons.duplicates + kMostIdleMeetings);
  // A long history may be read beside the loops, and so may one that is parted: whole, by each un-merge.
  if (crowd && crowd->kind != Crowd::Kind::kLong) {
    const uint64_t merging = kMostReadBack * reasons.records * static_cast<uint64_t>(std::bit_width(reasons.records));
    hold("records read back", work.records_read_back, merging + reasons.unmerges * reasons.records);
  }
  return beyond;
}

}  // namespace attune::simulate
