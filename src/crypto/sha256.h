// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace attune {

using Sha256Digest = std::array<uint8_t, 32>;
Sha256Digest Sha256(std::string_view bytes);
// 64 lowercase hexadecimal digits.
std::string ToHex(const Sha256Digest& digest);

// The digest of data added in pieces.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Add(std::string_view bytes);
  // The digest of all bytes added. Call it once, last.
  Sha256Digest Finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace attune
