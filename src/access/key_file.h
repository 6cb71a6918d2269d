// The hashes of the keys in a file next to the store, so that they survive a store that is lost or rebuilt from the
// log.
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
// Empty if there is no such file. kCorrupt: the file is damaged. kInvalid: a newer program wrote it.
Result<KeyHashes> ReadKeyFile(const std::string& path);
// Atomic and durable: after a power cut the file has either the old or the new content.
Status WriteKeyFile(const std::string& path, const KeyHashes& keys);

}  // namespace attune
