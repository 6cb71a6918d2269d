// Parses times by a pattern of strptime's conversions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace attune {

// Supports %Y %y %m %d %e %H %M %S %f %b %z %Z %% and literal text (a blank matches any number of blanks). Parts that
// the pattern lacks have their lowest value. Without %z the time is UTC (%Z accepts UTC and GMT only). nullopt: the
// text does not match.
std::optional<Millis> ParseTimePattern(std::string_view text, std::string_view pattern);

// Why a pattern is invalid; empty when it is valid: each part at most once, and at least the year.
std::string CheckTimePattern(std::string_view pattern);

}  // namespace attune
