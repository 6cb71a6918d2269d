// A string in JSON text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace attune {

// The text of a JSON string with blanks around it, escapes undone; nullopt when `json` is not a string.
std::optional<std::string> TextOfJsonString(std::string_view json);

}  // namespace attune
