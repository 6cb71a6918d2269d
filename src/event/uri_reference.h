// Relative references of RFC 3986, to the extent that `$id` and `$ref` of a schema need them.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// Resolves `reference` against `base`; `#fragment` keeps the base's path.
std::string ResolveUri(std::string_view base, std::string_view reference);

// `%41` is `A`; a percent sign without two hexadecimal digits is unchanged.
std::string PercentDecode(std::string_view text);

}  // namespace attune
