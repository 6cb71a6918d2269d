// One line of a history as the tests write it: what replay would read, with the head already taken.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "event/event.h"

namespace attune::oracle {

struct Record {
  EventKind kind = EventKind::kTrack;
  std::string id;
  std::string user;
  std::string name;  // normalised; empty unless kind is kTrack
  Millis time = 0;
  std::string json;  // the event as a client sends it: one line of NDJSON for `attune replay`
};

// A track event. `properties` and `context` are JSON objects; an empty one is left out.
Record Track(std::string_view id, std::string_view user, std::string_view name, Millis time,
             std::string_view properties = {}, std::string_view context = {});

// An identify, group or alias. `traits` is a JSON object; an empty one is left out.
Record Fact(EventKind kind, std::string_view id, std::string_view user, Millis time,
            std::string_view traits = {});

// The head that an engine is given with the record. Views into `record`.
EventHead HeadOf(const Record& record);

}  // namespace attune::oracle
