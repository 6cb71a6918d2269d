// A store's log of batches in memory that loses power and runs full on request: for tests and the simulator.
#pragma once

#include <string>
#include <vector>

#include "state/batch_log.h"

namespace attune {

struct FakeBatchLog : BatchLog {
  // What has arrived. A test shortens it to lose the newest batches, as RocksDB may after a power cut.
  std::vector<std::string> batches;
  // An Append that comes when this is 0 fails once with kUnavailable; below 0 none does.
  int fail_after = -1;
  // After a crash no batch arrives.
  bool crashed = false;

  Status Append(std::string_view batch) override;
  Status Resume() override;
  Status ForEach(const std::function<Status(std::string_view batch)>& visit) const override;
};

}  // namespace attune
