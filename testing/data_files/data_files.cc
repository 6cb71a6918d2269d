#include "data_files/data_files.h"

#include <lzma.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

namespace attune {
namespace {

namespace fs = std::filesystem;

constexpr char kData[] = "tests/data/";
constexpr uint64_t kMemoryBytes = 256 << 20;

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{ErrorCode::kIo, path + " is missing"};
  return std::string{std::istreambuf_iterator<char>(in), {}};
}

Result<std::string> Decompress(std::string_view packed, const std::string& path) {
  std::string bytes;
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_ret state = lzma_stream_decoder(&stream, kMemoryBytes, 0);
  stream.next_in = reinterpret_cast<const uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  while (state == LZMA_OK) {
    char buffer[1 << 16];
    stream.next_out = reinterpret_cast<uint8_t*>(buffer);
    stream.avail_out = sizeof buffer;
    state = lzma_code(&stream, LZMA_FINISH);
    bytes.append(buffer, sizeof buffer - stream.avail_out);
  }
  lzma_end(&stream);
  if (state != LZMA_STREAM_END) return Error{ErrorCode::kCorrupt, path + " is damaged"};
  return bytes;
}

// A field of a tar header, which ends at a zero byte or at its size.
std::string_view Field(std::string_view header, size_t offset, size_t size) {
  const std::string_view field = header.substr(offset, size);
  return field.substr(0, field.find('\0'));
}

// The folders that may not be redistributed, and why: lines `NAME: REASON`.
Result<std::map<std::string, std::string>> Withheld() {
  Result<std::string> text = ReadFile(std::string(kData) + "withheld.txt");
  if (!text.ok()) return std::move(text).error();
  std::map<std::string, std::string> reasons;
  for (std::string_view rest = *text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const size_t colon = line.find(": ");
    if (line.starts_with('#') || colon == std::string_view::npos) continue;
    reasons.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  return reasons;
}

}  // namespace

Result<std::string> DataFile(const std::string& name) {
  const std::string path = kData + name + ".xz";
  Result<std::string> packed = ReadFile(path);
  if (!packed.ok()) return packed;
  return Decompress(*packed, path);
}

Result<std::map<std::string, std::string>> DataArchive(const std::string& name) {
  Result<std::string> archive = DataFile(name + ".tar");
  if (!archive.ok()) return std::move(archive).error();
  // The format ustar: a header of 512 bytes, the file, zeros up to a multiple of 512. A header of zeros ends the archive.
  constexpr size_t kBlock = 512;
  constexpr size_t kNameBytes = 100, kSizeAt = 124, kSizeBytes = 12, kTypeAt = 156;
  std::map<std::string, std::string> files;
  for (std::string_view rest = *archive; rest.size() >= kBlock && rest[0] != '\0';) {
    const std::string_view file = Field(rest, 0, kNameBytes), octal = Field(rest, kSizeAt, kSizeBytes);
    size_t size = 0;
    std::from_chars(octal.data(), octal.data() + octal.size(), size, 8);
    if (rest[kTypeAt] != '0' || size > rest.size() - kBlock) {
      return Error{ErrorCode::kCorrupt, name + ".tar.xz: expected a whole plain file: " + std::string(file)};
    }
    files.emplace(file, rest.substr(kBlock, size));
    rest.remove_prefix(std::min(rest.size(), kBlock + (size + kBlock - 1) / kBlock * kBlock));
  }
  return files;
}

Result<std::string> DataSetFolder(const std::string& name) {
  const auto withheld = Withheld();
  if (!withheld.ok()) return withheld.error();
  const auto entry = withheld->find(name);
  if (entry == withheld->end()) return kData + name;
  const char* named = std::getenv("ATTUNE_SHARED");
  const bool told = named != nullptr && *named != '\0';
  const std::string folder = std::string(told ? named : "../shared") + "/data/" + name;
  if (fs::is_directory(folder)) return folder;
  if (told) return Error{ErrorCode::kInvalid, "ATTUNE_SHARED has no data set " + name + ": " + folder};
  return Error{ErrorCode::kNotFound, "the data set " + name + " is not part of the project (" + entry->second +
                                         ") and not in ../shared; see tests/data/README.md"};
}

}  // namespace attune
