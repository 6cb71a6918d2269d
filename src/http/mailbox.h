// Carries answers given on other threads back to the event loop that has the connection. Internal
// to this module.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "http/message.h"

namespace attune::http {

// State shared by a StreamWriter and its connection.
struct StreamState {
  explicit StreamState(size_t limit) : limit_bytes(limit) {}
  const size_t limit_bytes;
  std::atomic<size_t> waiting_bytes = 0;  // written by the producer, not yet taken by the kernel
  std::atomic<bool> gone = false;         // nothing written from now on is sent
  std::atomic<bool> cut = false;          // the stream ended because the client reads too slowly
};

struct Delivery {
  enum class Kind { kAnswer, kStreamHead, kStreamBytes, kStreamEnd, kStreamCut };
  Kind kind = Kind::kAnswer;
  uint64_t connection = 0;
  Response response = {};                         // kAnswer, kStreamHead
  std::string bytes = {};                         // kStreamBytes: as sent over the wire
  std::shared_ptr<StreamState> stream = nullptr;  // for all kStream...
};

// Shared by the loop and the replies that it created; the only object that outlives the loop.
class Mailbox {
 public:
  // `wake` makes the loop call Take(). It is called under the lock, once per batch.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Any thread. After Close() deliveries are dropped.
  void Post(Delivery delivery);

  // The rest is for the loop's thread.

  // Call once on the loop's thread before the first handler.
  void SetOwner() { owner_ = std::this_thread::get_id(); }
  // Between these two calls, an answer to `connection` from this thread bypasses the queue, and
  // EndHandling returns it.
  void BeginHandling(uint64_t connection) { handling_ = connection; }
  std::optional<Delivery> EndHandling();
  std::vector<Delivery> Take();
  void Close();

 private:
  bool TakeAtOnce(Delivery* delivery);

  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Delivery> waiting_;
  bool closed_ = false;

  std::thread::id owner_;
  uint64_t handling_ = 0;
  std::optional<Delivery> at_once_;
};

}  // namespace attune::http
