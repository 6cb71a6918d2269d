// The meaning of the language, computed by re-reading a user's whole history at every question: no
// caching and no cleverness, so that what the engine answers can be held against it. Written from
// docs/language.md alone; it shares the parser with the engine and nothing else.
#pragma once

#include <string>

#include "oracle/history.h"

namespace attune::oracle {

// The value of `expression` at `t`. Strings in it live as long as history and expression, lists
// until ForgetLists.
Value Evaluate(const Expression& expression, const History& history, Millis t);

// The same inside a selector's braces, where `event` is the one at hand.
Value EvaluateWith(const Expression& expression, const History& history, Millis t, const Entry* event);

// bucket("name") of a user.
double BucketOf(const std::string& name, const std::string& user);

}  // namespace attune::oracle
