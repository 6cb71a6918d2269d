// What happens to an event between admission and the log, on every path that leads there: requests, imports, replays of dead
// letters, dry runs. The consent gate and the privacy stage are such stages.
#pragma once

#include "ingest/protocol.h"

namespace attune {

// Immutable; any thread.
class EventStage {
 public:
  virtual ~EventStage() = default;

  // Gets an event that was admitted (event->ok()). May replace its record by another of the same message id. False: the event
  // must not be logged. Its sender is answered as if it was accepted, so that a client does not send it again.
  virtual bool Pass(ParsedEvent* event) const = 0;
};

}  // namespace attune
