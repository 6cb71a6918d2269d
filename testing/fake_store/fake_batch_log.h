// A store's log of batches in memory that can lose power and run full on request: for tests and the simulator.
#pragma once

#include <string>
#include <vector>

#include "state/batch_log.h"

namespace attune {

struct FakeBatchLog : BatchLog {
  // The appended batches. A test shortens it to lose the newest ones, as RocksDB may after a power cut.
  std::vector<std::string> batches;
  // The number of batches that no crash loses: those up to the last one that was written with `sync`.
  size_t synced = 0;
  // The number of Append calls that succeed before one fails with kUnavailable; negative: none fails.
  int fail_after = -1;
  // After a crash no batch is appended.
  bool crashed = false;

  Status Append(std::string_view batch, bool sync) override;
  Status Resume() override;
  Status ForEach(const std::function<Status(std::string_view batch)>& visit) const override;
};

}  // namespace attune
