// Random secrets.
#pragma once

#include <string>

namespace attune {

// 256 bits from the operating system's generator, as 43 characters of base64url.
std::string RandomToken();

}  // namespace attune
