// Writing JSON text by hand, where a document model would be too much.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

// The length of the UTF-8 character at the front of `text`; 0 when there is none (too short, a surrogate, an overlong
// form, above U+10FFFF). Requires text.
size_t Utf8Length(std::string_view text);

}  // namespace attune
