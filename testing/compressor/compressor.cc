#include "compressor/compressor.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>

#include "base/check.h"

namespace attune {
namespace {

std::string Deflated(std::string_view text, int window) {
  z_stream stream{};
  ATTUNE_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK, "the parameters are valid");
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  ATTUNE_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "there is room for all of it");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string Gzip(std::string_view text) { return Deflated(text, 15 + 16); }

std::string Zlib(std::string_view text) { return Deflated(text, 15); }

std::string Zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  ATTUNE_CHECK(ZSTD_isError(size) == 0, "there is room for all of it");
  out.resize(size);
  return out;
}

std::string Xz(std::string_view text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  size_t size = 0;
  const lzma_ret done = lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                                reinterpret_cast<uint8_t*>(out.data()), &size, out.size());
  ATTUNE_CHECK(done == LZMA_OK, "there is room for all of it");
  out.resize(size);
  return out;
}

}  // namespace attune
