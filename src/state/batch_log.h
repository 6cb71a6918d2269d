// A log of a store's batches that replaces RocksDB's files.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"

namespace attune {

// Keeps what is written to a store, batch by batch. The store itself is in memory: Store::Open applies every batch of
// the log, so the log alone decides which part of the store survives a crash.
//
// Only one thread at a time may write to a store with such a log.
class BatchLog {
 public:
  virtual ~BatchLog() = default;

  // Appends a batch; with `sync`, no crash loses it or an earlier one once this returns. On failure, Store::Write fails with
  // this error and applies nothing.
  virtual Status Append(std::string_view batch, bool sync) = 0;
  // Called by Store::Resume. ok: the log accepts batches again.
  virtual Status Resume() = 0;
  // Visits the batches in the order in which they were appended, until a visit fails; returns its error.
  virtual Status ForEach(const std::function<Status(std::string_view batch)>& visit) const = 0;
};

}  // namespace attune
