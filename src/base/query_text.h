// The query of a URL.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attune {

// As browsers encode forms: %XX and '+' for a space. A broken escape stays as it is.
std::string DecodeQueryText(std::string_view text);

// `query` is without the '?', as sent. The first parameter of that name, decoded; nullopt if absent, empty if without a
// value.
std::optional<std::string> QueryParameter(std::string_view query, std::string_view name);

// All parameters in order, decoded.
std::vector<std::pair<std::string, std::string>> QueryParameters(std::string_view query);

// The byte that the escape %XX at `text[i]` stands for; -1 when there is none.
int EscapedByte(std::string_view text, size_t i);

}  // namespace attune
