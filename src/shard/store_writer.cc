#include "shard/store_writer.h"

#include <algorithm>
#include <chrono>

namespace attune {
namespace {

constexpr std::chrono::milliseconds kRetryEvery(250);

}  // namespace

StoreWriter::StoreWriter(Store* store, Workers* workers) : store_(*store) {
  worker_ = workers->Start("attune-store", [this] { return Step(); });
}

StoreWriter::~StoreWriter() {
  {
    const std::lock_guard hold(mutex_);
    closing_ = true;
  }
  worker_->Wake();
  worker_->Join();
}

uint64_t StoreWriter::Write(WriteBatch batch, std::function<void(bool written)> then) {
  uint64_t number = 0;
  {
    const std::lock_guard hold(mutex_);
    tasks_.push_back({std::move(batch), std::move(then), nullptr, 0});
    number = ++taken_;
  }
  worker_->Wake();
  return number;
}

void StoreWriter::Do(std::function<bool()> work, size_t bytes) {
  waiting_bytes_ += bytes;
  {
    const std::lock_guard hold(mutex_);
    tasks_.push_back({WriteBatch(), nullptr, std::move(work), bytes});
    ++taken_;
  }
  worker_->Wake();
}

bool StoreWriter::IsReadyAfter(uint64_t number) {
  const std::lock_guard hold(mutex_);
  if (failed_ || taken_ - tasks_.size() < number) return false;
  return std::count_if(tasks_.begin(), tasks_.end(), [](const Task& task) { return !task.then && !task.work; }) <= 2;
}

Worker::Next StoreWriter::Step() {
  std::unique_lock hold(mutex_);
  if (tasks_.empty()) return closing_ ? Worker::Next::Done() : Worker::Next::WhenWoken();
  return WriteFirst(&hold) ? Worker::Next::Now() : Worker::Next::After(kRetryEvery);
}

bool StoreWriter::WriteFirst(std::unique_lock<std::mutex>* hold) {
  const Task& task = tasks_.front();  // the reference stays valid: other threads only append
  const bool closing = closing_;
  hold->unlock();
  Status written = failed_ ? Status(Error{ErrorCode::kIo, "the store failed before"}) : Status();
  if (written.ok() && retrying_) written = store_.Resume();
  if (written.ok() && !task.work) written = store_.Write(task.batch);
  if (written.ok() && task.work && !task.work()) written = Error{ErrorCode::kUnavailable, "the store accepts no writes now"};
  const bool damaged = !written.ok() && written.error().code == ErrorCode::kCorrupt;
  if (!written.ok() && !damaged && !closing && !failed_) {
    retrying_ = true;
    hold->lock();
    return false;
  }
  // A snapshot that is not written only makes recovery longer. But the shard's next snapshot only has later changes, so
  // none may follow a failure.
  if (!written.ok()) failed_ = true;
  retrying_ = false;
  if (task.then) task.then(written.ok());
  waiting_bytes_ -= task.bytes;
  hold->lock();
  tasks_.pop_front();
  return true;
}

}  // namespace attune
