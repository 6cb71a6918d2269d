// Writes a stored event as a line of a history file: the format of `attune export`. A replay reads it as the same
// event.
#pragma once

#include <string>

#include "event/event.h"
#include "ingest/tracking_plan.h"

namespace attune {

// Appends the event's JSON as sent, without a newline. Line breaks between its tokens become spaces (JSON strings
// cannot contain them); every other byte stays. A history's line needs some members that the client did not send,
// because the server knew them or the client's clock was wrong. These are added after the object's last member, where
// they take precedence: `type`, `messageId`, and the corrected time as `timestamp` and `originalTimestamp`. True when
// something was added.
//
// `admission` reads the line as a replay does; it does not matter whether its plan would refuse the event.
bool AppendHistoryLine(const EncodedEvent& event, TrackingPlan* admission, std::string* out);

}  // namespace attune
