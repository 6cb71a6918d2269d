#include "simulator/log_contents.h"

#include "base/bytes.h"
#include "base/check.h"
#include "log/file/file_reader.h"

namespace attune::simulate {

bool ReadLog(Machine* machine, Chronicle* chronicle, LogContents* contents) {
  contents->clear();
  const uint64_t last = machine->runtime().durable_sequence();
  if (last == 0) return true;
  machine->disk().SuspendFaults(true);
  Status status;
  auto reader = FileReader::Open(machine->log_dir(), 1, {.last_sequence = last, .disk = &machine->disk()});
  if (!reader.ok()) status = reader.error();
  RecordView record;
  while (status.ok()) {
    const auto more = reader->Next(&record);
    if (!more.ok()) status = more.error();
    if (!more.ok() || !*more) break;
    contents->push_back({record.sequence, static_cast<RecordType>(record.type), record.shard, std::string(record.payload)});
  }
  machine->disk().SuspendFaults(false);
  if (!status.ok()) return chronicle->Fail(Promise::kLog, "the log cannot be read: " + status.error().message);
  for (size_t i = 0; i < contents->size(); ++i) {
    const uint64_t found = (*contents)[i].sequence;
    if (found != i + 1) return chronicle->Fail(Promise::kLog, fmt::format("record {} follows record {}", found, i));
  }
  if (contents->size() != last) {
    return chronicle->Fail(Promise::kLog, fmt::format("the log ends at record {} and not at {}", contents->size(), last));
  }
  return true;
}

UnmergeRecord ReadUnmerge(const LogRecord& record) {
  ByteReader in(record.payload);
  UnmergeRecord unmerge;
  unmerge.at = in.I64();
  unmerge.id = in.String();
  ATTUNE_CHECK(in.done(), "the runtime writes what it can read");
  return unmerge;
}

PlanRecord ReadPlan(const LogRecord& record) {
  ByteReader in(record.payload);
  in.U64();
  PlanRecord plan;
  plan.at = in.I64();
  plan.fingerprint = in.U64();
  return plan;
}

Millis ReadTick(const LogRecord& record) { return ByteReader(record.payload).I64(); }

}  // namespace attune::simulate
