// The files of JSON Schemas that a plan names. A plan may come from anyone who holds an API key, so it reaches the
// files beneath its own folder and no others.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace attune {

inline constexpr size_t kMaxSchemaBytes = 1 << 20;  // a larger file is refused

// Reads the regular file `name` beneath `folder` (empty: the current one). kInvalid, with a message for the author of the
// plan, when the name is absolute, leads out of the folder by `..` or by a symbolic link, or names no regular file. The
// message does not depend on what exists outside the folder.
Result<std::string> ReadSchemaFile(const std::filesystem::path& folder, const std::string& name);

}  // namespace attune
