// Computes answers that read much of the store: on one thread, a slice of each in turn, so that neither the shards nor
// the server wait for them, and a short one does not wait for a long one.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace attune {

// Any thread.
class BackgroundResponder {
 public:
  enum class Turn {
    kAgain,  // there is more to do
    kWait,   // there is more to do, once the client has taken what was written
    kDone,
  };
  // Does a slice of a few milliseconds. Called until it returns kDone; Stop() destroys it unfinished.
  using Work = std::function<Turn()>;
  static constexpr size_t kMax = 32;

  BackgroundResponder();
  ~BackgroundResponder() { Stop(); }

  // False: kMax have begun and are not done, or after Stop.
  bool Begin(Work work);
  // Ends all of them.
  void Stop();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Work> waiting_;  // guarded by the mutex, as are the next two
  size_t under_way_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace attune
