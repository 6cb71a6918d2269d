// The hashes of the keys beside the store, so that a store that is lost, or rebuilt from the log, does not take them with it.
//
//   file := "attune-keys 1" line*  then  "sha256 <hex of all before>"      each ended by a newline
//   line := ("write" | "api") " " <SHA-256 of the key, hexadecimal>
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace attune {

inline constexpr int kKeyFileVersion = 1;

// By hash: `w` or `a`, as the store has them.
using KeyHashes = std::map<std::string, char>;

std::string KeyFilePath(const std::string& data_dir);
// Empty when there is no such file. kCorrupt: it is not what was written. kInvalid: a newer program wrote it.
Result<KeyHashes> ReadKeyFile(const std::string& path);
// All of it or nothing, also after a power cut.
Status WriteKeyFile(const std::string& path, const KeyHashes& keys);

}  // namespace attune
