// Compresses text for tests of what decompresses it. Ends the program when a library refuses.
#pragma once

#include <string>
#include <string_view>

namespace attune {

std::string Gzip(std::string_view text);
std::string Zlib(std::string_view text);
std::string Zstd(std::string_view text);
std::string Xz(std::string_view text);

}  // namespace attune
