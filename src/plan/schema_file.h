// The JSON Schema files that a plan names. Anyone with an API key may submit a plan, so a plan may read only files
// beneath its own folder.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace attune {

inline constexpr size_t kMaxSchemaBytes = 1 << 20;  // a larger file is refused

// Reads the regular file `name` beneath `folder` (empty: the current one). kInvalid, with a message for the author of
// the plan, when the name is absolute, leaves the folder through `..` or a symbolic link, or does not name a regular
// file. The message does not depend on what exists outside the folder.
Result<std::string> ReadSchemaFile(const std::filesystem::path& folder, const std::string& name);

}  // namespace attune
