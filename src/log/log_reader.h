// Reads a log in order from a position.
#pragma once

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "log/record.h"

namespace attune {

// Owned by one thread. Any number of readers may read a log in parallel with each other and with its writer.
class LogReader {
 public:
  virtual ~LogReader() = default;

  // Returns the next records, at least one; null at the end. kCorrupt names the place of the damage; the reader stays
  // there. Blocks on the disk or the network.
  virtual Result<DurableBlock> NextBlock() = 0;
  // Moves the end to a later record, so that a reader at its end continues.
  virtual void ReadTo(uint64_t last_sequence) = 0;

  // Returns the next record; false at the end. `record` is valid until the next call. The sequence skips records that a
  // repair gave up. Errors: as NextBlock. Use either this or NextBlock.
  Result<bool> Next(RecordView* record) {
    if (!block_ || next_ == block_->records.size()) {
      auto more = NextBlock();
      if (!more.ok()) return more.error();
      if (!*more) return false;
      block_ = std::move(more).value();
      next_ = 0;
    }
    *record = block_->records[next_++];
    return true;
  }

 protected:
  LogReader() = default;
  LogReader(LogReader&&) = default;
  LogReader& operator=(LogReader&&) = default;

 private:
  DurableBlock block_;
  size_t next_ = 0;
};

}  // namespace attune
