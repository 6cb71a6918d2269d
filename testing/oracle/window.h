// Which events of a user's history match a window and a selector.
#pragma once

#include <optional>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

// One session: its events in order, never empty.
using Session = Entries;
std::vector<Session> SessionsAt(const History& history, Millis t);
bool IsOpen(const Session& session, const Plan& plan, Millis t);

// The instants of a window: (after, until].
struct Instants {
  Millis after;
  Millis until;
};
// None for a window whose anchor is null, and for a session, which is not defined by instants.
std::optional<Instants> InstantsIn(const Window& window, const History& history, Millis t);

// The events in the window at `t`, with any name: a part of the history without gaps.
Entries EventsIn(const Window& window, const History& history, Millis t);

// Whether the selector matches the event, ignoring windows.
bool Selects(const Selector& selector, const Entry& entry, const History& history);

// The event's value of a property as the language reads it: text is parsed as a time if the plan declares one.
Value PropertyOf(const Entry& entry, const PropertyPath& path);

// The values that some(…) and top(…) iterate over, each once; the latest comes last.
std::vector<Value> KeysAt(const PropertyPath& path, const History& history, Millis t);

}  // namespace attune::oracle
