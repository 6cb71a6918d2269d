// Which events of a user's history a window and a selector show.
#pragma once

#include <optional>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

// One session: its events in order, never empty.
using Session = Entries;
std::vector<Session> SessionsAt(const History& history, Millis t);
bool IsOpen(const Session& session, const Plan& plan, Millis t);

// The instants that a window shows: (after, until].
struct Instants {
  Millis after;
  Millis until;
};
// None for a window whose anchor is null, and for a session, which is no stretch of time.
std::optional<Instants> InstantsIn(const Window& window, const History& history, Millis t);

// The events that the window shows at `t`, of any name: a run of the history without gaps.
Entries EventsIn(const Window& window, const History& history, Millis t);

// Whether the selector selects the event; no window is considered.
bool Selects(const Selector& selector, const Entry& entry, const History& history);

// The event's value of a property, as the language sees it: text is read as a time where the plan declares one.
Value PropertyOf(const Entry& entry, const PropertyPath& path);

// The values that some(…) and top(…) run over, each once; the one seen last comes last.
std::vector<Value> KeysAt(const PropertyPath& path, const History& history, Millis t);

}  // namespace attune::oracle
