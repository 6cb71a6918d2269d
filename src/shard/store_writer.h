// Writes to the store on a separate thread: batches, and work that reads before it writes, in the order they came.
//
// If a batch cannot be written because the disk is full, it is retried until it succeeds, and nothing after it is
// written. Meanwhile no snapshot begins, and the pending bytes count against the runtime's limit. Only a damaged store
// ends the retries.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "base/workers.h"
#include "state/store.h"

namespace attune {

// Any thread.
class StoreWriter {
 public:
  explicit StoreWriter(Store* store, Workers* workers = &Threads());
  // Writes what is pending first. Drops what fails then; the log has it all.
  ~StoreWriter();

  // Returns the batch's number, counted from 1. Calls `then` on the writer's thread with whether this batch and all
  // before it were written.
  uint64_t Write(WriteBatch batch, std::function<void(bool written)> then = nullptr);

  // Adds work that writes to the store itself. It returns false if it failed and must be retried. It holds `bytes` of
  // memory.
  void Do(std::function<bool()> work, size_t bytes);
  // Bytes that pending work holds.
  size_t waiting_bytes() const { return waiting_bytes_; }

  // Whether a snapshot may begin after the batch with this number: the batch is written, and few others are pending.
  bool IsReadyAfter(uint64_t number);
  // Whether optional writes should be skipped, because writing has stopped for now.
  bool retrying() const { return retrying_; }
  // Whether the store accepts nothing more before the next start.
  bool failed() const { return failed_; }

 private:
  struct Task {
    WriteBatch batch;
    std::function<void(bool)> then;
    std::function<bool()> work;  // instead of the batch
    size_t bytes = 0;
  };

  Worker::Next Step();
  // Writes the first task, with the lock released. Returns false if it must be retried.
  bool WriteFirst(std::unique_lock<std::mutex>* hold);

  Store& store_;
  std::mutex mutex_;
  std::deque<Task> tasks_;  // guarded by mutex_, as are the next; the first is being written
  uint64_t taken_ = 0;
  bool closing_ = false;
  std::atomic<size_t> waiting_bytes_{0};
  std::atomic<bool> retrying_{false};
  std::atomic<bool> failed_{false};
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
