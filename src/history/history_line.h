// A stored event as a line of a history file: what `attune export` writes, and what a replay reads as the same event.
#pragma once

#include <string>

#include "event/event.h"
#include "ingest/tracking_plan.h"

namespace attune {

// Appends the event's JSON as it was sent, without a newline: line breaks between its tokens (in texts JSON has none)
// become spaces, every other byte stays. What a history's line has to say and the client did not, because the server
// knew it or the client's clock was wrong, is added behind the object's last member, where it counts: `type`,
// `messageId`, and the corrected time as `timestamp` and `originalTimestamp`. True when something was added.
//
// `admission` reads the line as a replay does; whether its plan would refuse the event does not matter.
bool AppendHistoryLine(const EncodedEvent& event, TrackingPlan* admission, std::string* out);

}  // namespace attune
