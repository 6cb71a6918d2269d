// Times written as a pattern of strptime's letters says.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace attune {

// Of %Y %y %m %d %e %H %M %S %f %b %z %Z %% and literal text (a blank stands for any number of them). What is not said
// is the first of its kind; without %z the time is UTC (%Z takes UTC and GMT only). nullopt: the text does not fit.
std::optional<Millis> ParseTimePattern(std::string_view text, std::string_view pattern);

// Why a pattern cannot be used; empty when it can: it names each part at most once, and at least the year.
std::string CheckTimePattern(std::string_view pattern);

}  // namespace attune
