// Case-insensitive text: Unicode's simple case folding (version 14, as in RE2's (?i)), character by character: `ẞ`
// equals `ß`, but not `SS`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// The lower-case letter of a capital (or title-case letter), if it has one; any other code point unchanged.
uint32_t SmallLetter(uint32_t code);

// The common form of all cases of one letter: `Σ`, `σ` and `ς` give `σ`, the Kelvin sign gives `k`.
uint32_t Folded(uint32_t code);

// Appends the text with each character folded. Bytes that are not UTF-8 are unchanged.
void AppendFolded(std::string_view utf8, std::string* out);

bool EqualsIgnoringCase(std::string_view a, std::string_view b);
bool ContainsIgnoringCase(std::string_view text, std::string_view part);

}  // namespace attune
