// The demo's visitors: a history that ends now, then a stream of visits that goes on from it. What
// is true of it and what is made for the demo is said in examples/demo/ATTRIBUTION.md.
//
// DemoHistory and DemoStream are pure: the clock comes in, JSON goes out. FeedDemo sends it over
// HTTP like any client.
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

inline constexpr std::string_view kDemoZone = "Europe/Warsaw";  // as examples/demo/plan.yaml says
inline constexpr int kDemoToday = 104;                          // the day of the data that is today: 2008-07-14

// Events for a body {"batch":[…]}: what is in it so far.
class DemoBatch {
 public:
  // A trait of a visitor; a click; a step of the second shop. `at`: kNever leaves the time out, so
  // that it happens when it arrives.
  void AddCountry(std::string_view user, std::string_view country, Millis at);
  void AddClick(std::string_view user, size_t index, const DemoVisit& visit, Millis at);
  void AddStep(std::string_view user, size_t index, const DemoShopper::Step& step, Millis at);

  size_t events() const { return events_; }
  // The whole body; the batch is empty after it.
  std::string Take();

 private:
  void Begin(std::string_view type, std::string_view user, std::string_view id, Millis at);

  std::string text_;
  size_t events_ = 0;
};

// Everything up to `now`, in batches for /v1/import. The day `today` of the data is the day of
// `now` in the zone, those before it are the days before it. A visit that would end after `now` is
// left to the stream. All events of one person are in one batch, so that none of them arrives after
// a timer that it should have moved.
class DemoHistory {
 public:
  // `data` must outlive this.
  DemoHistory(const DemoData& data, const Zone& zone, Millis now, int today = kDemoToday);

  // False when there is nothing left.
  bool Next(DemoBatch* batch);

  size_t events() const { return events_; }  // of all batches together
  // What is left to the stream, in order.
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
  int shopper_every = 25;  // so often a new visitor is of the second shop, the first one too
};

// Visits from `begin` on, for ever: when all have been played, again, as new visitors.
class DemoStream {
 public:
  // `data` and what `visits` points to must outlive this. Requires visits.
  DemoStream(const DemoData& data, std::vector<const DemoVisit*> visits, Millis begin, const DemoPace& pace = {});

  // Adds what is due by `now`: at most one event of a visitor (and her country with the first), so
  // that a long pause is not made up for.
  void TakeDue(Millis now, DemoBatch* batch);
  // When the next event is due.
  Millis next_due() const;

  uint64_t visitors() const { return begun_; }  // so many have come

 private:
  struct Visitor {
    std::string user;
    const DemoVisit* visit = nullptr;  // one of the two; neither: between two visitors
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
  // Called on the feed's thread after each batch of the history; done == total: the stream begins.
  std::function<void(size_t done, size_t total)> on_history;
  std::function<Millis()> clock = WallClock;
};

// Sends the history, then the stream, until `stop` is set (noticed within a tenth of a second, or
// when an answer under way has come). Blocks; for a thread of its own. Asks for little: about ten
// requests a second once the history is in. An answer of 429 or 503 is waited out as Retry-After
// says, and a lost connection made anew a few times, with the same message ids, so that nothing is
// counted twice. Any other refusal ends it with an error.
Status FeedDemo(const DemoFeedOptions& options, const std::atomic<bool>& stop);

}  // namespace attune
