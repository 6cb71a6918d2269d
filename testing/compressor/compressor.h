// Compresses text for tests of decompression. Ends the program if a library fails.
#pragma once

#include <string>
#include <string_view>

namespace attune {

std::string Gzip(std::string_view text);
std::string Zlib(std::string_view text);
std::string Zstd(std::string_view text);
std::string Xz(std::string_view text);

}  // namespace attune
