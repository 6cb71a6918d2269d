// The demo's visitors: a history that ends now, then a stream of visits that continues it. examples/demo/ATTRIBUTION.md
// lists what is real and what is made up for the demo.
//
// DemoHistory and DemoStream are pure: the clock is an input and JSON is the output. FeedDemo sends it over HTTP like
// any client.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "demo/demo_data.h"
#include "language/zone.h"

namespace attune {

inline constexpr std::string_view kDemoZone = "Europe/Warsaw";  // as in examples/demo/plan.yaml
inline constexpr int kDemoToday = 104;                          // the day of the data that becomes today: 2008-07-14

// Builds the events of a body {"batch":[…]}.
class DemoBatch {
 public:
  // A trait of a visitor; a click; a step of the second shop. `at`: kNever omits the time, so that the event time is
  // the received time.
  void AddCountry(std::string_view user, std::string_view country, Millis at);
  void AddClick(std::string_view user, size_t index, const DemoVisit& visit, Millis at);
  void AddStep(std::string_view user, size_t index, const DemoShopper::Step& step, Millis at);

  size_t events() const { return events_; }
  // Returns the whole body; the batch is empty afterwards.
  std::string Take();

 private:
  void Begin(std::string_view type, std::string_view user, std::string_view id, Millis at);

  std::string text_;
  size_t events_ = 0;
};

// Everything up to `now`, in batches for /v1/import. The day `today` of the data becomes the day of `now` in the zone,
// and the days before it become the preceding days. A visit that would end after `now` is left to the stream. All
// events of one person are in one batch, so that none arrives after a timer that it should have moved.
class DemoHistory {
 public:
  // `data` must outlive this.
  DemoHistory(const DemoData& data, const Zone& zone, Millis now, int today = kDemoToday);

  // False when no batch is left.
  bool Next(DemoBatch* batch);

  size_t events() const { return events_; }  // of all batches together
  // The visits left to the stream, in order.
  const std::vector<const DemoVisit*>& rest() const { return rest_; }

 private:
  struct Timed {
    const DemoVisit* visit;
    std::vector<Millis> clicks;
  };
  const DemoData& data_;
  std::vector<Timed> visits_;
  std::vector<const DemoVisit*> rest_;
  Millis shopper_shift_ = 0;
  size_t events_ = 0;
  size_t next_visit_ = 0;
  size_t next_shopper_ = 0;
};

struct DemoPace {
  int visitors = 24;         // at a time
  Millis fastest_ms = 1000;  // between two events of one visitor
  Millis slowest_ms = 3000;
  int shopper_every = 25;  // one of this many new visitors is of the second shop, beginning with the first
};

// Visits from `begin` on, without end: after the last one they repeat, as new visitors.
class DemoStream {
 public:
  // `data` and the visits that `visits` points to must outlive this. `visits` must not be empty.
  DemoStream(const DemoData& data, std::vector<const DemoVisit*> visits, Millis begin, const DemoPace& pace = {});

  // Adds the events due by `now`: at most one event of a visitor (plus the country before the first), so that a long
  // pause is not caught up.
  void TakeDue(Millis now, DemoBatch* batch);
  // When the next event is due.
  Millis next_due() const;

  uint64_t visitors() const { return begun_; }  // how many have arrived

 private:
  struct Visitor {
    std::string user;
    const DemoVisit* visit = nullptr;  // one of the two, or neither between two visits
    const DemoShopper* shopper = nullptr;
    size_t done = 0;
    Millis due = 0;
  };
  void Arrive(Visitor* visitor);
  void Act(Visitor* visitor, DemoBatch* batch);
  Millis Pause(const Visitor& visitor) const;

  const DemoData& data_;
  const std::vector<const DemoVisit*> visits_;
  const DemoPace pace_;
  std::vector<Visitor> visitors_;
  uint64_t begun_ = 0;
  uint64_t visits_begun_ = 0;
  uint64_t shoppers_begun_ = 0;
};

struct DemoFeedOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string write_key;
  DemoPace pace;
  // Called on the feed's thread after each batch of the history; at done == total the stream begins.
  std::function<void(size_t done, size_t total)> on_history;
  std::function<Millis()> clock = WallClock;
};

// Sends the history, then the stream, until `stop` is set (noticed within a tenth of a second, or when a pending answer
// has arrived). Blocks; run it on its own thread. It sends about ten requests a second after the history. After an
// answer of 429 or 503 it waits for the time in Retry-After. It reconnects a lost connection a few times, with the same
// message ids, so that nothing is counted twice. Any other refusal ends it with an error.
Status FeedDemo(const DemoFeedOptions& options, const std::atomic<bool>& stop);

}  // namespace attune
