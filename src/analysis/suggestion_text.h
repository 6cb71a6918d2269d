// A suggestion as text for a terminal: `attune suggest`, and GET /v1/suggest for clients that accept text/plain.
#pragma once

#include <string>

#include "analysis/suggestion.h"

namespace attune {

// Lines, each ended by a newline.
std::string SuggestionText(const SuggestQuestion& question, const SuggestAnswer& answer);

}  // namespace attune
