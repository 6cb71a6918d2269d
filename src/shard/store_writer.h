// Writes to the store on a thread of its own: batches, and what must read before it writes, in the order they came.
//
// A batch that cannot be written, because the disk is full, is tried again until it can be: nothing behind it is written
// before. Meanwhile no snapshot begins, and what waits counts against what the runtime takes in. Only damage ends it.
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

// Threads: any.
class StoreWriter {
 public:
  explicit StoreWriter(Store* store, Workers* workers = &Threads());
  // Writes what waits first; gives up what fails then: the log has it all.
  ~StoreWriter();

  // Gives the batch's number: they count from 1. `then` is called on the writer's thread: whether the batch, and all
  // before it, were written.
  uint64_t Write(WriteBatch batch, std::function<void(bool written)> then = nullptr);

  // Work that writes to the store by itself; false: it could not, and comes again. `bytes` of memory wait with it.
  void Do(std::function<bool()> work, size_t bytes);
  // Bytes that such work holds.
  size_t waiting_bytes() const { return waiting_bytes_; }

  // Whether a snapshot may begin after the batch with this number: it has been written, and few others wait.
  bool IsReadyAfter(uint64_t number);
  // Whether what may be left out should be: writing has stopped for now.
  bool retrying() const { return retrying_; }
  // Whether the store will take nothing more before the next start.
  bool failed() const { return failed_; }

 private:
  struct Task {
    WriteBatch batch;
    std::function<void(bool)> then;
    std::function<bool()> work;  // instead of the batch
    size_t bytes = 0;
  };

  Worker::Next Step();
  // Writes the first; the lock is let go meanwhile. False: it is to be tried again.
  bool WriteFirst(std::unique_lock<std::mutex>* hold);

  Store& store_;
  std::mutex mutex_;
  std::deque<Task> tasks_;  // guarded by it, as are the next; the first is being written
  uint64_t taken_ = 0;
  bool closing_ = false;
  std::atomic<size_t> waiting_bytes_{0};
  std::atomic<bool> retrying_{false};
  std::atomic<bool> failed_{false};
  std::unique_ptr<Worker> worker_;
};

}  // namespace attune
