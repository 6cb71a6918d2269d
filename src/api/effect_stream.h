// GET /v1/stream: one thread that reads the outbox for every client that listens, and writes what each asked for as
// server-sent events.
//
// A client has a cursor and no queue: one that reads slowly lags behind, and is served from the store at its own pace.
// A client is cut off only when it takes nothing at all (HttpLimits::write_stall_ms), or falls behind what is still
// kept. With the last id that it received it resumes where it stopped.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "api/effect_filter.h"
#include "base/metrics.h"
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

  // Reserves a place for one more subscriber, for Subscribe. False: there are kMaxSubscribers. Any thread.
  bool Reserve();
  // Writes what comes after `from` to a reserved subscriber, until it leaves. Any thread.
  void Subscribe(EffectFilter filter, EffectId from, StreamWriter writer);

  void AddMetrics(Metrics* metrics) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Subscriber {
    EffectFilter filter;
    EffectId cursor;  // every effect up to it was written, or filtered out
    StreamWriter writer;
    Clock::time_point written;
  };
  enum class Served { kAll, kSome, kHeldBack, kGone };

  void Run();
  Served Serve(Subscriber* subscriber, Clock::time_point now);
  const Outbox::Page* PageAt(EffectId cursor);

  Outbox& outbox_;
  std::atomic<size_t> subscribers_{0};
  std::atomic<uint64_t> cut_{0};  // clients that were cut off because they read too slowly

  // Only the stream's thread uses these.
  std::list<Subscriber> listening_;
  std::map<EffectId, Outbox::Page> pages_;  // of this round: most clients have the same cursor

  std::mutex mutex_;
  std::condition_variable work_;
  std::list<Subscriber> arrived_;  // guarded by the mutex, as are the next two
  bool published_ = false;
  bool closing_ = false;
  std::thread thread_;
  std::unique_ptr<Outbox::Listening> listening_for_effects_;
};

}  // namespace attune
