#include "dead_letter/letter_check.h"

#include <memory>

#include "dead_letter/dead_letters.h"
#include "log/record_type.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// The records of dead letters in the log.
class LoggedLetters {
 public:
  explicit LoggedLetters(std::unique_ptr<LogReader> reader) : reader_(std::move(reader)) {}

  // Whether this record is one. Sequences must not decrease from call to call.
  Result<bool> Has(uint64_t sequence) {
    RecordView record;
    while (reader_ && at_ < sequence) {
      const auto more = reader_->Next(&record);
      if (!more.ok()) return more.error();
      if (!*more) {
        reader_.reset();
      } else if (record.type == static_cast<uint8_t>(RecordType::kDeadLetter)) {
        at_ = record.sequence;
        ++count_;
      }
    }
    return count_ > 0 && at_ == sequence;
  }
  uint64_t count() const { return count_; }

 private:
  std::unique_ptr<LogReader> reader_;  // null: at its end
  uint64_t at_ = 0;                  // the last record read
  uint64_t count_ = 0;
};

}  // namespace

Result<LetterCheck> CheckLetters(const Store& store, ReadableLog* log, uint64_t first, uint64_t last,
                                 const std::function<void(std::string_view name)>& damage) {
  std::unique_ptr<LogReader> reader;
  if (last > 0) {
    auto opened = log->NewReader(first, last);
    if (!opened.ok()) return opened.error();
    reader = std::move(opened).value();
  }
  LoggedLetters logged(std::move(reader));
  LetterCheck check;
  Status failed;
  // Names sort newest first. None begins with a byte this high.
  check.store = store.ForEachBackwards(
      keys::kDeadLetters,
      [&](std::string_view name, std::string_view json) {
        const auto sequence = SequenceOfLetter(name);
        const Result<bool> has = sequence ? logged.Has(*sequence) : Result<bool>(false);
        if (!has.ok()) {
          failed = has.error();
        } else if (*has) {
          ++check.kept;
          check.repeats += KeptLetter(name, json).repeats;
        } else {
          damage(name);
        }
        return failed.ok();
      },
      "\xff");
  if (!failed.ok()) return failed.error();
  if (const auto rest = logged.Has(UINT64_MAX); !rest.ok()) return rest.error();
  check.logged = logged.count();
  return check;
}

}  // namespace attune
