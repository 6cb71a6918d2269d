// The contents of a backup, in a text file in its folder that is written last: a folder without one is incomplete.
//
//   manifest := "attune-backup 1" line* "sha256 <hex of all before>"     each ended by a newline
//   line     := "program <version>" | "created <RFC 3339>" | "records <first> <last>" | "plan <path>"
//             | "file <SHA-256, hexadecimal> <bytes> <path>"                  paths are within the folder
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace attune {

inline constexpr int kManifestVersion = 1;

struct Manifest {
  struct File {
    std::string path;  // `log/00000000000000000001.log`
    uint64_t bytes = 0;
    std::string sha256;
  };
  std::string program;
  std::string created;
  uint64_t first_record = 0;  // 0: none
  uint64_t last_record = 0;
  std::string plan;           // a file or folder of the backup; empty: no plan
  std::vector<File> files;
};

std::string ManifestText(const Manifest& manifest);
// kCorrupt: the text was changed, or names a path outside its folder. kInvalid: a newer program wrote it. `path` is for
// messages.
Result<Manifest> ParseManifest(std::string_view text, const std::string& path);

}  // namespace attune
