// GET /v1/stream: one thread that reads the outbox for every client that listens, and writes what each asked for as
// server-sent events.
//
// A client has a cursor, no queue: one who reads slowly lags behind, and is served from the store at its own pace. Only
// one who takes nothing at all (HttpLimits::write_stall_ms), or so little that what it lacks is no longer kept, is cut
// off. Its last id says where it takes up the thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/effect_filter.h"
#include "effects/outbox.h"
#include "http/server.h"

namespace attune {

class EffectStream {
 public:
  static constexpr size_t kMaxSubscribers = 1000;

  // The outbox must outlive it.
  explicit EffectStream(Outbox* outbox);
  // Ends all streams.
  ~EffectStream();

  // Takes the place of one more subscriber, for Subscribe. False: there are kMaxSubscribers. Any thread.
  bool Reserve();
  // Tells a reserved subscriber what comes after `from`, until it leaves. Any thread.
  void Subscribe(EffectFilter filter, EffectId from, StreamWriter writer);

  size_t subscribers() const { return subscribers_; }
  // Clients that were cut off, because they read too slowly.
  uint64_t cut() const { return cut_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Subscriber {
    EffectFilter filter;
    EffectId cursor;  // everything up to it has been written, or was not asked for
    StreamWriter writer;
    Clock::time_point written;
  };
  enum class Served { kAll, kSome, kHeldBack, kGone };

  void Run();
  Served Serve(Subscriber* subscriber, Clock::time_point now);
  const Outbox::Page* PageAt(EffectId cursor);

  Outbox& outbox_;
  std::atomic<size_t> subscribers_{0};
  std::atomic<uint64_t> cut_{0};

  // The thread's alone.
  std::list<Subscriber> listening_;
  std::map<EffectId, Outbox::Page> pages_;  // of this round: most clients stand at one place

  std::mutex mutex_;
  std::condition_variable work_;
  std::list<Subscriber> arrived_;  // guarded by the mutex, as are the next two
  bool published_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace attune
