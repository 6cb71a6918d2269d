// simdjson's view of JSON in our words. For the sources of this module alone: no header that others read includes it.
#pragma once

#include <simdjson.h>

#include "event/event.h"

namespace attune {

JsonKind KindOf(simdjson::dom::element element);

// Of booleans, numbers and strings; null for all else.
Value ScalarOf(simdjson::dom::element element);

}  // namespace attune
