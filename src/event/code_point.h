// UTF-8, one character at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

inline constexpr uint32_t kNoCodePoint = 0xFFFFFFFF;

// Takes one code point off `text` at `*at`, which is within it; kNoCodePoint (and one byte further) when it is not
// UTF-8.
uint32_t NextCodePoint(std::string_view text, size_t* at);
void AppendCodePoint(uint32_t code, std::string* out);

}  // namespace attune
