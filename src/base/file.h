// Whole-file operations.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace attune {

// Replaces the file's content atomically and durably, also across a power cut. kIo with the path and the reason.
Status ReplaceFile(const std::string& path, std::string_view content);

}  // namespace attune
