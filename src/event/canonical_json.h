// One text for all JSON values that are equal: members sorted, numbers in one form. For this module's sources alone.
#pragma once

#include <simdjson.h>

#include <string>

namespace attune {

// 1, 1.0 and 1e0 are the same; integers keep all their digits. Of members sent twice the last counts.
std::string CanonicalJson(simdjson::dom::element element);

}  // namespace attune
