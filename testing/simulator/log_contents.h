// What the log of a machine holds, as one who only looks at the disk finds it.
#pragma once

#include <string>
#include <vector>

#include "log/record_type.h"
#include "simulator/chronicle.h"
#include "simulator/machine.h"

namespace attune::simulate {

struct LogRecord {
  uint64_t sequence = 0;
  RecordType type = RecordType::kEvent;
  uint8_t shard = 0;
  std::string payload;
};
using LogContents = std::vector<LogRecord>;

// Every durable record, in order, from 1 on. False: the log cannot be read, or records are missing,
// which the chronicle is told.
bool ReadLog(Machine* machine, Chronicle* chronicle, LogContents* contents);

// kUndoMerge: when it was asked for, and the id.
struct UnmergeRecord {
  Millis at = 0;
  std::string id;
};
UnmergeRecord ReadUnmerge(const LogRecord& record);
// kPlan: when it was logged, and the plan's fingerprint.
struct PlanRecord {
  Millis at = 0;
  uint64_t fingerprint = 0;
};
PlanRecord ReadPlan(const LogRecord& record);
// kTick.
Millis ReadTick(const LogRecord& record);

}  // namespace attune::simulate
