// A log of a store's batches that takes the place of RocksDB's files.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace attune {

// Keeps what is written to a store, batch by batch. The store itself lies in memory: Store::Open applies every batch of
// the log, so the log alone decides what of the store outlives a crash.
//
// One thread at a time writes to a store that has such a log.
class BatchLog {
 public:
  virtual ~BatchLog() = default;

  // Appends a batch. On failure, Store::Write fails with this error and applies nothing.
  virtual Status Append(std::string_view batch) = 0;
  // Called by Store::Resume. ok: the log may take batches again.
  virtual Status Resume() = 0;
  // Visits the batches in the order in which they were appended, until a visit fails; returns its error.
  virtual Status ForEach(const std::function<Status(std::string_view batch)>& visit) const = 0;
};

}  // namespace attune
