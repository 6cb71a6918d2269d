// Decodes and encodes UTF-8, one code point at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

inline constexpr uint32_t kNoCodePoint = 0xFFFFFFFF;

// Decodes the code point of `text` at `*at`, which must be within `text`, and moves past it. Returns kNoCodePoint and
// moves one byte when it is not UTF-8.
uint32_t NextCodePoint(std::string_view text, size_t* at);
void AppendCodePoint(uint32_t code, std::string* out);

}  // namespace attune
