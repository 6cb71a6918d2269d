// Admission: whether one event is let in, and as what. The tracking plan is the part of a plan that says which events
// there are and which properties they have.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "dead_letter/dead_letter.h"
#include "event/event.h"
#include "plan/plan.h"

namespace attune {

struct JsonFault;

// Where an event comes from, and what that says about it.
struct Origin {
  std::string_view source;  // for the dead letter
  std::string_view type;    // `track` when the path says so, which then counts; empty: the event's own `type`
  Millis received = 0;
  std::optional<Millis> sent_at;  // of the envelope; an event's own counts more

  // What a batch would add to the event counts as the event's: set when it is too much without looking at it.
  size_t added_bytes = 0;

  // The event is read from a history: its times are taken as they are (see below) and may not be missing; and an id it
  // lacks derives from its source and its text, so that a replay is repeatable.
  bool history = false;
  // The history is a file of a replay: its times have no bounds.
  bool file = false;
  // The oldest age that is accepted, counted back from `received`; unset: the plan's limits.oldest_event.
  std::optional<Millis> oldest_event{};

  std::string_view id{};  // for an event that has none and is of no history; empty: one is made
};

// Why text in which a fault was found is refused.
Reason ReasonOf(const JsonFault& fault);

struct Admission {
  bool ok() const { return !dead.has_value(); }

  std::optional<DeadLetter> dead;
  // Without a dead letter: what the log wants. The views live until the next Admit, `json` as long as what was given.
  EventHead head;
  std::string_view json;
  bool known = false;  // the plan names this event (or it is identify, group or alias)
};

// Applies a plan to events, one after the other; holds buffers, so one for each thread.
//
// What an event becomes:
// - Kind and name. `track` needs `event`; a page is `page_viewed`, a screen `screen_viewed`. Names are normalised.
// - User. `userId`, else `anonymousId`: text, or a number in its canonical form. Empty text counts as missing. An id
//   that stands for nobody ("null", "undefined", "anonymous" …) in either place is refused: it would make one person of
//   many. `alias` needs `userId` and whom it renames, `previousId` (else `anonymousId`); `group` needs `groupId`.
// - Time. A client's clock may be wrong, but its differences are right: with `sentAt` the event happened
//   (sentAt - originalTimestamp, else timestamp) before it was received. Without `sentAt`: `timestamp`, else
//   `originalTimestamp`, else when it was received. A `sentAt` that is no time counts as missing. Of a history:
//   `timestamp`, else `originalTimestamp`, corrected only when it stands alone beside `sentAt` and `receivedAt`; and
//   `received` is the event's `receivedAt`, else its time.
// - A client's clock that is off by more than IngestLimits::clock_off is ignored: an event that it would correct gets the
//   time at which it was received, and a mark (EventHead::clock_ignored).
// - The time lies at most `oldest_event` before the server received the event and at most IngestLimits::ahead after it.
//   This holds for histories too, except for a file of a replay.
// - Properties are checked against the plan: null counts as missing; 2.0 is an integer; a time is what ReadTimestamp
//   reads. What the plan does not name is kept.
class TrackingPlan {
 public:
  // `plan` must outlive this.
  explicit TrackingPlan(const Plan& plan, const IngestLimits& limits = {});
  ~TrackingPlan();

  Admission Admit(std::string_view json, const Origin& origin);

  // Holds the event that was admitted last open, until the next Admit.
  EventReader& reader();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
