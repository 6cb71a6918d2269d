// One text for all equal JSON values: sorted members, one form of numbers. Only for the sources of this module.
#pragma once

#include <simdjson.h>

#include <string>

namespace attune {

// 1, 1.0 and 1e0 are equal; integers keep all their digits. The last of duplicate members counts.
std::string CanonicalJson(simdjson::dom::element element);

}  // namespace attune
