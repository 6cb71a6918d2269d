// Text whatever its case: Unicode's simple case folding (version 14, as RE2's (?i) has it). Character by character: `ẞ`
// is `ß`, but `SS` is not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// The small letter of a capital (or of a title-case letter), if it has one of its own; anything else is itself.
uint32_t SmallLetter(uint32_t code);

// What all forms of one letter have in common: `Σ`, `σ` and `ς` give `σ`, the Kelvin sign gives `k`.
uint32_t Folded(uint32_t code);

// Appends the text with each character folded. Bytes that are not UTF-8 are kept.
void AppendFolded(std::string_view utf8, std::string* out);

bool EqualsIgnoringCase(std::string_view a, std::string_view b);
bool ContainsIgnoringCase(std::string_view text, std::string_view part);

}  // namespace attune
