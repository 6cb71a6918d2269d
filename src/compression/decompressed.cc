#include "compression/decompressed.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace attune {
namespace {

constexpr size_t kChunkBytes = 128 << 10;
constexpr uint64_t kXzMemoryBytes = 256 << 20;

// The compressed input, read in chunks.
class Compressed {
 public:
  Compressed(std::unique_ptr<ByteSource> source, std::string first)
      : source_(std::move(source)), chunk_(std::move(first)) {}

  std::string_view rest() const { return std::string_view(chunk_).substr(at_); }
  void Take(size_t bytes) { at_ += bytes; }
  bool at_end() const { return at_end_; }

  // Reads the next chunk once the current one is consumed.
  Status Refill() {
    if (at_ < chunk_.size() || at_end_) return Status();
    chunk_.resize(kChunkBytes);
    at_ = 0;
    const auto got = source_->Read(chunk_.data(), chunk_.size());
    chunk_.resize(got.ok() ? *got : 0);
    if (!got.ok()) return got.error();
    at_end_ = *got == 0;
    return Status();
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string chunk_;
  size_t at_ = 0;
  bool at_end_ = false;
};

Error DamagedFile(const char* what) { return {ErrorCode::kCorrupt, what}; }

// The common part of the three formats: decompresses a chunk, member after member.
class Inflating : public ByteSource {
 public:
  explicit Inflating(Compressed in) : in_(std::move(in)) {}

  Result<size_t> Read(char* buffer, size_t size) final {
    for (;;) {
      const bool holds_more = full_ && inside_;  // output of input already consumed
      if (!holds_more) {
        if (const Status status = in_.Refill(); !status.ok()) return status.error();
        if (in_.at_end()) {
          if (inside_) return DamagedFile("the compressed file ends too early");
          return size_t{0};
        }
      }
      const auto made = Step(buffer, size);
      full_ = made.ok() && *made == size;
      if (!made.ok() || *made > 0) return made;
    }
  }

 protected:
  // Consumes bytes of `in_` and returns how many it wrote; sets inside_ while a member is
  // incomplete.
  virtual Result<size_t> Step(char* buffer, size_t size) = 0;

  Compressed in_;
  bool inside_ = false;

 private:
  bool full_ = false;  // the last step filled its buffer
};

class Gzip : public Inflating {
 public:
  explicit Gzip(Compressed in) : Inflating(std::move(in)) { inflateInit2(&stream_, 15 + 16); }
  ~Gzip() override { inflateEnd(&stream_); }

 private:
  Result<size_t> Step(char* buffer, size_t size) override {
    const std::string_view rest = in_.rest();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest.data()));
    stream_.avail_in = static_cast<uInt>(rest.size());
    stream_.next_out = reinterpret_cast<Bytef*>(buffer);
    stream_.avail_out = static_cast<uInt>(size);
    const int state = inflate(&stream_, Z_NO_FLUSH);
    in_.Take(rest.size() - stream_.avail_in);
    inside_ = state != Z_STREAM_END;
    if (state == Z_STREAM_END) inflateReset(&stream_);
    if (state != Z_OK && state != Z_STREAM_END && state != Z_BUF_ERROR) return DamagedFile("the gzip file is damaged");
    return size - stream_.avail_out;
  }
  z_stream stream_{};
};

class Zstd : public Inflating {
 public:
  explicit Zstd(Compressed in) : Inflating(std::move(in)), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {}

 private:
  Result<size_t> Step(char* buffer, size_t size) override {
    const std::string_view rest = in_.rest();
    ZSTD_inBuffer in{rest.data(), rest.size(), 0};
    ZSTD_outBuffer out{buffer, size, 0};
    const size_t left = ZSTD_decompressStream(stream_.get(), &out, &in);
    if (ZSTD_isError(left)) return DamagedFile("the zstd file is damaged");
    in_.Take(in.pos);
    inside_ = left != 0;
    return out.pos;
  }
  std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
};

class Xz : public Inflating {
 public:
  explicit Xz(Compressed in) : Inflating(std::move(in)) { Begin(); }
  ~Xz() override { lzma_end(&stream_); }

 private:
  void Begin() { ready_ = lzma_stream_decoder(&stream_, kXzMemoryBytes, 0) == LZMA_OK; }

  Result<size_t> Step(char* buffer, size_t size) override {
    if (!ready_) return Error{ErrorCode::kIo, "no memory to decompress"};
    const std::string_view rest = in_.rest();
    stream_.next_in = reinterpret_cast<const uint8_t*>(rest.data());
    stream_.avail_in = rest.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(buffer);
    stream_.avail_out = size;
    const lzma_ret state = lzma_code(&stream_, LZMA_RUN);
    const size_t made = size - stream_.avail_out;
    in_.Take(rest.size() - stream_.avail_in);
    inside_ = state != LZMA_STREAM_END;
    if (state == LZMA_STREAM_END) Begin();
    if (state != LZMA_OK && state != LZMA_STREAM_END && state != LZMA_BUF_ERROR) {
      return DamagedFile("the xz file is damaged");
    }
    return made;
  }
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
};

// The bytes that were read ahead, then the rest.
class Plain : public ByteSource {
 public:
  Plain(std::unique_ptr<ByteSource> source, std::string first) : source_(std::move(source)), first_(std::move(first)) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    if (at_ == first_.size()) return source_->Read(buffer, size);
    size = std::min(size, first_.size() - at_);
    std::memcpy(buffer, first_.data() + at_, size);
    at_ += size;
    return size;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string first_;
  size_t at_ = 0;
};

// Detects the format at the first read.
class Sniffing : public ByteSource {
 public:
  explicit Sniffing(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    if (inner_ == nullptr) {
      if (const Status status = Begin(); !status.ok()) return status.error();
    }
    return inner_->Read(buffer, size);
  }

 private:
  Status Begin() {
    constexpr size_t kMagicBytes = 6;
    std::string first;
    while (first.size() < kMagicBytes) {
      char piece[kMagicBytes];
      const auto got = source_->Read(piece, kMagicBytes - first.size());
      if (!got.ok()) return got.error();
      if (*got == 0) break;
      first.append(piece, *got);
    }
    if (first.starts_with("\x1f\x8b")) {
      inner_ = std::make_unique<Gzip>(Compressed(std::move(source_), first));
    } else if (first.starts_with("\x28\xb5\x2f\xfd")) {
      inner_ = std::make_unique<Zstd>(Compressed(std::move(source_), first));
    } else if (first == std::string_view("\xfd"
                                         "7zXZ\0",
                                         6)) {
      inner_ = std::make_unique<Xz>(Compressed(std::move(source_), first));
    } else {
      inner_ = std::make_unique<Plain>(std::move(source_), first);
    }
    return Status();
  }

  std::unique_ptr<ByteSource> source_;
  std::unique_ptr<ByteSource> inner_;
};

}  // namespace

std::unique_ptr<ByteSource> Decompressed(std::unique_ptr<ByteSource> source) {
  return std::make_unique<Sniffing>(std::move(source));
}

}  // namespace attune
