// The meaning of the language, computed by re-reading a user's whole history at every question: no
// caching and no cleverness, so that what the engine answers can be held against it. Written from
// docs/language.md alone; it shares the parser with the engine and nothing else.
#pragma once

#include <string>
#include <vector>

#include "oracle/history.h"

namespace attune::oracle {

// The value of `expression` at `t`. Strings in it live as long as history and expression, lists
// until ForgetLists.
Value Evaluate(const Expression& expression, const History& history, Millis t);

// The parts of Evaluate that bounds.cc asks about a stretch of time too.

// One session: its events in order, never empty.
using Session = Entries;
std::vector<Session> SessionsAt(const History& history, Millis t);
bool IsOpen(const Session& session, const Plan& plan, Millis t);

// Whether the event is one that the selector names; its window is not asked.
bool Selects(const Selector& selector, const Entry& entry, const History& history);

// The event's value of a property, as the language sees it: a declared time is written as text.
Value PropertyOf(const Entry& entry, const PropertyPath& path);

// The events that the window shows at `t`, of any name: a run of the history without gaps.
Entries EventsIn(const Window& window, const History& history, Millis t);

// The values that some(…) and top(…) run over, each once; the one seen last comes last.
std::vector<Value> KeysAt(const PropertyPath& path, const History& history, Millis t);

// bucket("name") of a user.
double BucketOf(const std::string& name, const std::string& user);

// `+ - * /`, min, max and the comparisons, of two values.
Value Arithmetic(Expression::Kind kind, const Value& a, const Value& b);
bool Compare(Expression::Kind kind, const Value& a, const Value& b);

// The sum of the numbers as if added without rounding, then rounded once.
double ExactSum(const std::vector<double>& numbers);

}  // namespace attune::oracle
