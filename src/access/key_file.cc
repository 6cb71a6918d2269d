#include "access/key_file.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/hash.h"
#include "crypto/sha256.h"

namespace attune {
namespace {

constexpr std::string_view kMagic = "attune-keys ";
constexpr std::string_view kSum = "sha256 ";
constexpr size_t kHashDigits = 64;

}  // namespace

std::string KeyFilePath(const std::string& data_dir) { return data_dir + "/keys"; }

Result<KeyHashes> ReadKeyFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return KeyHashes();
  std::ostringstream read;
  read << in.rdbuf();
  const std::string text = read.str();
  const auto damaged = [&](size_t offset) {
    return Error{ErrorCode::kCorrupt, fmt::format("{}: offset {}: the file of keys is damaged; if it is removed, new keys are made", path, offset)};
  };
  int version = 0;
  const bool begins = text.starts_with(kMagic);
  if (begins) std::from_chars(text.data() + kMagic.size(), text.data() + text.size(), version);
  if (version > kKeyFileVersion) {
    return Error{ErrorCode::kInvalid, fmt::format("{}: version {} is newer than this program reads ({}): use the newer program that wrote it", path,
                                                  version, kKeyFileVersion)};
  }
  if (version < 1) return damaged(0);
  const size_t sum = text.rfind(kSum);
  if (sum == std::string::npos || text.substr(sum) != fmt::format("{}{}\n", kSum, ToHex(Sha256(std::string_view(text).substr(0, sum))))) {
    return damaged(sum == std::string::npos ? text.size() : sum);
  }
  KeyHashes keys;
  std::istringstream lines(text.substr(0, sum));
  std::string kind, hash;
  std::getline(lines, kind);
  while (lines >> kind >> hash) {
    if (hash.size() == kHashDigits) keys[hash] = kind[0];
  }
  return keys;
}

Status WriteKeyFile(const std::string& path, const KeyHashes& keys) {
  std::string text = fmt::format("{}{}\n", kMagic, kKeyFileVersion);
  for (const auto& [hash, kind] : keys) text += fmt::format("{} {}\n", kind == 'w' ? "write" : "api", hash);
  text += fmt::format("{}{}\n", kSum, ToHex(Sha256(text)));
  return ReplaceFile(path, text);
}

}  // namespace attune
