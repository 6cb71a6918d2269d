#include "plan/schema_file.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <system_error>

#include "base/json.h"

namespace attune {
namespace {

namespace fs = std::filesystem;

// As JSON text, because a name may contain any character.
std::string Quoted(std::string_view name) {
  std::string quoted;
  AppendJsonString(name, &quoted);
  return quoted;
}

bool HasControlCharacter(std::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

// Decides by the name alone, so that nothing outside the folder is accessed.
bool StaysBeneath(const fs::path& name) {
  int depth = 0;
  for (const fs::path& part : name) {
    if (part == "..") {
      if (--depth < 0) return false;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
  }
  return true;
}

// Requires resolved paths.
bool IsBeneath(const fs::path& folder, const fs::path& file) {
  const auto [end, _] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end == folder.end();
}

}  // namespace

Result<std::string> ReadSchemaFile(const fs::path& folder, const std::string& name) {
  const fs::path path(name);
  if (path.is_absolute() || HasControlCharacter(name) || !StaysBeneath(path)) {
    return Error{ErrorCode::kInvalid, "expected the file of a JSON Schema beneath the plan's folder, found " + Quoted(name)};
  }
  const Error missing{ErrorCode::kInvalid, "there is no JSON Schema " + Quoted(name) + " beneath the plan's folder"};
  std::error_code error;
  const fs::path root = fs::canonical(folder.empty() ? fs::path(".") : folder, error);
  if (error) return missing;
  const fs::path file = fs::canonical(root / path, error);
  if (error || !IsBeneath(root, file) || !fs::is_regular_file(file, error)) return missing;
  std::ifstream in(file, std::ios::binary);
  if (!in) return missing;
  std::string text(kMaxSchemaBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  if (in.bad()) return missing;
  if (text.size() > kMaxSchemaBytes) {
    return Error{ErrorCode::kInvalid, "the JSON Schema " + Quoted(name) + " is larger than 1 MiB"};
  }
  return text;
}

}  // namespace attune
