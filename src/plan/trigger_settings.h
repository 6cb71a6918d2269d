// Parsers for trigger settings that are short texts.
#pragma once

#include <optional>
#include <string_view>

#include "plan/plan.h"

namespace attune {

inline constexpr int kMaxCap = 1000;  // a higher count is refused, because each firing within the span is stored

// `2 per 1h`. nullopt: not a cap, or its count is not 1 to kMaxCap.
std::optional<Cap> ParseCap(std::string_view text);

// `22:00-08:00`, blanks around the dash allowed; the end may be `24:00`. nullopt: not two times of day, or two equal
// ones.
std::optional<QuietHours> ParseQuietHours(std::string_view text);

// `10%`, `0.1`. nullopt: not a share from 0 to 1.
std::optional<double> ParseShare(std::string_view text);

}  // namespace attune
