#include "ingest/body_encoding.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

namespace attune {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

uint8_t ByteAt(std::string_view text, size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; }

bool IsGzip(std::string_view body) { return ByteAt(body, 0) == 0x1f && ByteAt(body, 1) == 0x8b; }

// Deflate with a window of up to 32 KiB, and the header's own checksum. No JSON begins with an x.
bool IsZlib(std::string_view body) {
  return (ByteAt(body, 0) & 0x8f) == 0x08 && ByteAt(body, 0) == 0x78 &&
         (ByteAt(body, 0) * 256 + ByteAt(body, 1)) % 31 == 0;
}

Refusal Damaged(std::string detail) {
  Refusal refusal;
  refusal.reason = Reason::kBadCompression;
  refusal.detail = std::move(detail);
  return refusal;
}

Refusal TooLarge(size_t actual, size_t limit) {
  Refusal refusal;
  refusal.reason = Reason::kBodyTooLarge;
  refusal.detail = fmt::format("the body has more than {} bytes", limit);
  refusal.limit = limit;
  refusal.actual = actual;
  return refusal;
}

std::optional<Refusal> Inflate(std::string_view body, const IngestLimits& limits, std::string* out) {
  z_stream stream{};
  constexpr int kGzipOrZlib = 15 + 32;
  if (inflateInit2(&stream, kGzipOrZlib) != Z_OK) return Damaged("no memory to decompress");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  out->clear();
  for (int state = Z_OK; state != Z_STREAM_END;) {
    const size_t before = out->size();
    out->resize(before + kPieceBytes);
    stream.next_out = reinterpret_cast<Bytef*>(out->data() + before);
    stream.avail_out = kPieceBytes;
    state = inflate(&stream, Z_NO_FLUSH);
    out->resize(out->size() - stream.avail_out);
    if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) {
      return Damaged(stream.msg != nullptr ? stream.msg : "the compressed body is damaged");
    }
    if (out->size() > limits.body_bytes) return TooLarge(out->size(), limits.body_bytes);
    const size_t taken = body.size() - stream.avail_in;
    if (out->size() > kPieceBytes + taken * limits.expansion) {
      return Damaged(fmt::format("the body grows more than {} times", limits.expansion));
    }
    if (state != Z_STREAM_END && out->size() == before && stream.avail_in == 0) {
      return Damaged("the compressed body ends too early");
    }
  }
  if (stream.avail_in > 0) return Damaged("something follows the compressed body");
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> DecodeBody(std::string_view body, const IngestLimits& limits, std::string* buffer,
                                  std::string_view* text) {
  *text = body;
  if (IsGzip(body) || IsZlib(body)) {
    if (auto refusal = Inflate(body, limits, buffer)) return refusal;
    *text = *buffer;
  }
  if (text->size() > limits.body_bytes) return TooLarge(text->size(), limits.body_bytes);
  if (text->starts_with("\xEF\xBB\xBF")) text->remove_prefix(3);
  return std::nullopt;
}

}  // namespace attune
