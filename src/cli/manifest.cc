#include "cli/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/hash.h"
#include "crypto/sha256.h"

namespace attune {
namespace {

constexpr std::string_view kMagic = "attune-backup ";
constexpr std::string_view kSum = "sha256 ";

// `a/b`: a relative path without `.`, `..` or empty parts.
bool IsWithin(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  while (!path.empty()) {
    const std::string_view piece = path.substr(0, path.find('/'));
    if (piece.empty() || piece == "." || piece == "..") return false;
    path.remove_prefix(std::min(path.size(), piece.size() + 1));
  }
  return true;
}

}  // namespace

std::string ManifestText(const Manifest& manifest) {
  std::string text = fmt::format("{}{}\nprogram {}\ncreated {}\nrecords {} {}\n", kMagic, kManifestVersion, manifest.program, manifest.created,
                                 manifest.first_record, manifest.last_record);
  if (!manifest.plan.empty()) text += fmt::format("plan {}\n", manifest.plan);
  for (const Manifest::File& file : manifest.files) text += fmt::format("file {} {} {}\n", file.sha256, file.bytes, file.path);
  return text + fmt::format("{}{}\n", kSum, ToHex(Sha256(text)));
}

Result<Manifest> ParseManifest(std::string_view text, const std::string& path) {
  const auto damaged = [&](std::string_view what) { return Error{ErrorCode::kCorrupt, fmt::format("{}: {}", path, what)}; };
  int version = 0;
  if (text.starts_with(kMagic)) std::from_chars(text.data() + kMagic.size(), text.data() + text.size(), version);
  if (version > kManifestVersion) {
    return Error{ErrorCode::kInvalid, fmt::format("{}: version {} is newer than this program reads ({}): use the newer program that wrote it", path,
                                                  version, kManifestVersion)};
  }
  if (version < 1) return damaged("this is no manifest of a backup");
  const size_t sum = text.rfind(kSum);
  if (sum == std::string_view::npos || text.substr(sum) != fmt::format("{}{}\n", kSum, ToHex(Sha256(text.substr(0, sum))))) {
    return damaged("the manifest is damaged: its own checksum does not fit");
  }
  Manifest manifest;
  std::istringstream lines{std::string(text.substr(0, sum))};
  std::string line, word;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    words >> word;
    if (word == "program") {
      words >> manifest.program;
    } else if (word == "created") {
      words >> manifest.created;
    } else if (word == "records") {
      words >> manifest.first_record >> manifest.last_record;
    } else if (word == "plan") {
      std::getline(words >> std::ws, manifest.plan);
    } else if (word == "file") {
      Manifest::File file;
      words >> file.sha256 >> file.bytes;
      std::getline(words >> std::ws, file.path);
      manifest.files.push_back(std::move(file));
    }
    if (words.fail()) return damaged(fmt::format("the line \"{}\" cannot be read", line));
  }
  const bool within = std::all_of(manifest.files.begin(), manifest.files.end(), [](const Manifest::File& file) { return IsWithin(file.path); });
  if (!within || (!manifest.plan.empty() && !IsWithin(manifest.plan))) return damaged("a path leads out of the backup");
  return manifest;
}

}  // namespace attune
