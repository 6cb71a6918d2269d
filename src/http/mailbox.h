// How answers given on other threads come back to the event loop that has the connection.
// Internal to this module.
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

// What a StreamWriter and its connection know of each other.
struct StreamState {
  explicit StreamState(size_t limit) : limit_bytes(limit) {}
  const size_t limit_bytes;
  std::atomic<size_t> waiting_bytes = 0;  // written by the producer, not yet taken by the kernel
  std::atomic<bool> gone = false;         // nothing written from now on will arrive
  std::atomic<bool> cut = false;          // because the client reads too slowly
};

struct Delivery {
  enum class Kind { kAnswer, kStreamHead, kStreamBytes, kStreamEnd, kStreamCut };
  Kind kind = Kind::kAnswer;
  uint64_t connection = 0;
  Response response = {};                         // kAnswer, kStreamHead
  std::string bytes = {};                         // kStreamBytes, as they go over the wire
  std::shared_ptr<StreamState> stream = nullptr;  // all of kStream...
};

// Shared by the loop and the replies it gave out; the only thing that outlives the loop.
class Mailbox {
 public:
  // `wake` makes the loop call Take(); it is called under the lock, once per batch.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // Any thread. After Close() deliveries are dropped.
  void Post(Delivery delivery);

  // The loop's thread, from here on.

  // Call once on the loop's thread before the first handler.
  void SetOwner() { owner_ = std::this_thread::get_id(); }
  // Between these two an answer to `connection` that is given on this very thread does not take the
  // way through the queue; EndHandling returns it.
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
