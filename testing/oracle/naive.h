// The meaning of the language, computed by reading a user's whole history for every answer, without caches, so that the
// engine can be compared with it. Written from docs/language.md alone; it shares only the parser with the engine.
#pragma once

#include <string>

#include "oracle/history.h"

namespace attune::oracle {

// The value of `expression` at `t`. Strings in it are valid as long as history and expression, lists until ForgetLists.
Value Evaluate(const Expression& expression, const History& history, Millis t);

// The same inside a selector's braces, for `event`.
Value EvaluateWith(const Expression& expression, const History& history, Millis t, const Entry* event);

// bucket("name") of a user.
double BucketOf(const std::string& name, const std::string& user);

}  // namespace attune::oracle
