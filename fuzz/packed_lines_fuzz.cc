// The bytes of a file, which may be compressed in one of three formats: they are read as lines, or the damage is
// reported.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "history/line_file.h"

namespace {

using namespace attune;

constexpr size_t kEnough = 1 << 20;

// Returns pieces of `step` bytes.
class Bytes : public ByteSource {
 public:
  Bytes(std::string_view bytes, size_t step) : left_(bytes), step_(step) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    const size_t n = std::min({size, step_, left_.size()});
    std::memcpy(buffer, left_.data(), n);
    left_.remove_prefix(n);
    return n;
  }

 private:
  std::string_view left_;
  size_t step_;
};

// The bytes that could be read, and whether they were all.
std::pair<std::string, bool> ReadLines(std::string_view bytes, size_t step) {
  const auto source = Decompressed(std::make_unique<Bytes>(bytes, step));
  std::string out;
  char buffer[4096];
  while (out.size() < kEnough) {
    const auto n = source->Read(buffer, sizeof buffer);
    if (!n.ok()) {
      ATTUNE_CHECK(n.error().code == ErrorCode::kCorrupt, "damage is called damage");
      return {std::move(out), false};
    }
    ATTUNE_CHECK(*n <= sizeof buffer, "no more is read than there is room for");
    if (*n == 0) return {std::move(out), true};
    out.append(buffer, *n);
  }
  out.resize(kEnough);
  return {std::move(out), true};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = ReadLines(bytes, bytes.size() + 1);
  const auto pieces = ReadLines(bytes, 1 + data[0] % 16);
  // libzstd detects a wrong content size of a frame only if it gets the frame in one piece.
  const bool zstd = bytes.starts_with("\x28\xb5\x2f\xfd");
  ATTUNE_CHECK(zstd || whole.second == pieces.second, "how the bytes arrive changes nothing");
  ATTUNE_CHECK(!whole.second || !pieces.second || whole.first == pieces.first, "nor what comes out");
  const auto lines = LineFile::OfText(bytes);
  std::string_view line;
  while (lines->Next(&line, 1 + data[0] / 16)) {
    ATTUNE_CHECK(line.size() <= size_t{1} + data[0] / 16, "a line keeps the limit");
  }
  return 0;
}
