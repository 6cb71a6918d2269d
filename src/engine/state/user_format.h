// The version of what WriteUser writes.
#pragma once

#include <cstdint>
#include <string_view>

namespace attune {

inline constexpr uint8_t kUserVersion = 5;

// Whether such bytes have a newer format than ReadUser supports.
inline bool IsOfNewerProgram(std::string_view user) { return !user.empty() && static_cast<uint8_t>(user[0]) > kUserVersion; }

}  // namespace attune
