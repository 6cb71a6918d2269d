// Whole files.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace attune {

// The file's content becomes this, all of it or nothing, also after a power cut. kIo with the path and the reason.
Status ReplaceFile(const std::string& path, std::string_view content);

}  // namespace attune
