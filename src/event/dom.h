// Converts simdjson's types to ours. Only for the sources of this module: no public header includes it.
#pragma once

#include <simdjson.h>

#include "event/event.h"

namespace attune {

JsonKind KindOf(simdjson::dom::element element);

// Converts booleans, numbers and strings; null for anything else.
Value ScalarOf(simdjson::dom::element element);

}  // namespace attune
