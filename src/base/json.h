// Writes JSON text directly, without a document model.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);

// The length of the UTF-8 character at the front of `text`; 0 when it is invalid (too short, a surrogate, an overlong
// form, above U+10FFFF). `text` must not be empty.
size_t Utf8Length(std::string_view text);

}  // namespace attune
