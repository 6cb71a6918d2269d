// Base64 (RFC 4648).
#pragma once

#include <string>
#include <string_view>

namespace attune {

// The alphabet with + and /, with padding.
std::string ToBase64(std::string_view bytes);

// Either alphabet (+ and /, or - and _), with or without padding; empty when the text is neither.
std::string FromBase64(std::string_view text);

}  // namespace attune
