#include "simulator/letter_box.h"

#include "state/keyspace.h"

namespace attune::simulate {
namespace {

bool IsLetter(const LogRecord& record) { return record.type == RecordType::kDeadLetter || record.type == RecordType::kReplayed; }

std::string LetterOf(uint8_t type, std::string_view payload) { return static_cast<char>(type) + std::string(payload); }

}  // namespace

Machine::KeepLetter LetterBox::Open() {
  ++process_;
  started_ = false;
  early_.clear();
  came_.clear();
  latest_.clear();
  return [this, process = process_](const RecordView& record) { return process != process_ || Keep(record); };
}

bool LetterBox::Keep(const RecordView& record) {
  if (came_.contains(record.sequence)) return chronicle_.Fail(Promise::kLetters, fmt::format("letter {} came twice to one process", record.sequence));
  if (record.sequence < latest_[record.shard]) {
    return chronicle_.Fail(Promise::kLetters, fmt::format("letter {} came behind letter {} of its shard", record.sequence, latest_[record.shard]));
  }
  const std::string letter = LetterOf(record.type, record.payload);
  if (!started_) {
    early_.emplace(record.sequence, letter);
  } else if (!Write(record.sequence, letter)) {
    return false;
  }
  came_.insert(record.sequence);
  latest_[record.shard] = record.sequence;
  return true;
}

bool LetterBox::Write(uint64_t sequence, const std::string& letter) {
  WriteBatch batch;
  batch.Put(keys::kDeadLetters, keys::Ordered(sequence), letter);
  return machine_.runtime().store().Write(batch).ok();
}

std::map<uint64_t, std::string> LetterBox::Kept() {
  std::map<uint64_t, std::string> kept;
  const Status read = machine_.runtime().store().ForEach(keys::kDeadLetters, [&](std::string_view name, std::string_view letter) {
    kept.emplace(keys::ReadOrdered(name), letter);
    return true;
  });
  if (!read.ok()) chronicle_.Fail(Promise::kLetters, "letters cannot be read: " + read.error().message);
  return kept;
}

bool LetterBox::TakeStock(const LogContents& log) {
  started_ = true;
  const auto kept = Kept();
  for (const LogRecord& record : log) {
    if (!IsLetter(record) || kept.contains(record.sequence)) continue;
    const auto snapshot = Shard::SnapshotOf(machine_.runtime().store(), record.shard);
    if (snapshot.ok() && *snapshot && (*snapshot)->position >= record.sequence) {
      return chronicle_.Fail(Promise::kLetters, fmt::format("the snapshot of shard {} includes record {}, and letter {} is not kept",
                                                            record.shard, (*snapshot)->position, record.sequence));
    }
    if (!early_.contains(record.sequence)) {
      return chronicle_.Fail(Promise::kLetters, fmt::format("letter {} is not kept, and did not come again", record.sequence));
    }
  }
  // What finds no space once does so again later: the store fails one write.
  for (const auto& [sequence, letter] : early_) {
    while (!Write(sequence, letter)) continue;
  }
  early_.clear();
  return true;
}

bool LetterBox::HasAll(const LogContents& log) {
  std::map<uint64_t, std::string> expected;
  for (const LogRecord& record : log) {
    if (IsLetter(record)) expected.emplace(record.sequence, LetterOf(static_cast<uint8_t>(record.type), record.payload));
  }
  const auto kept = Kept();
  if (kept == expected) return true;
  return chronicle_.Fail(Promise::kLetters, fmt::format("{} letters are in the log, {} are kept, or what is kept differs", expected.size(), kept.size()));
}

}  // namespace attune::simulate
