#include "compression/inflate.h"

#include <zlib.h>

#include <memory>

namespace attune {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

InflateFault DamagedPiece(const char* detail) { return {InflateFault::Kind::kDamaged, detail}; }

}  // namespace

std::optional<InflateFault> Inflate(std::string_view compressed, const InflateLimits& limits, std::string* out) {
  z_stream stream{};
  constexpr int kGzipOrZlib = 15 + 32;
  if (inflateInit2(&stream, kGzipOrZlib) != Z_OK) return DamagedPiece("no memory to decompress");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  out->clear();
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const size_t before = out->size();
    out->resize(before + kPieceBytes);
    stream.next_out = reinterpret_cast<Bytef*>(out->data() + before);
    stream.avail_out = kPieceBytes;
    state = inflate(&stream, Z_NO_FLUSH);
    out->resize(out->size() - stream.avail_out);
    if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
      return DamagedPiece(stream.msg != nullptr ? stream.msg : "the compressed body is damaged");
    }
    if (out->size() > limits.bytes) return InflateFault{InflateFault::Kind::kTooLarge, "", out->size()};
    const size_t taken = compressed.size() - stream.avail_in;
    if (out->size() > kPieceBytes + taken * limits.expansion) return InflateFault{InflateFault::Kind::kTooDense, "", out->size()};
    if (state != Z_STREAM_END && out->size() == before && stream.avail_in == 0) {
      return DamagedPiece("the compressed body ends too early");
    }
  }
  if (stream.avail_in > 0) return DamagedPiece("something follows the compressed body");
  return std::nullopt;
}

}  // namespace attune
