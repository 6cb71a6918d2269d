#include "crypto/random_token.h"

#include <openssl/rand.h>

#include <cstdint>

#include "base/check.h"

namespace attune {

std::string RandomToken() {
  uint8_t bytes[33] = {};  // 32 random bytes and a zero, which completes the last group of six bits
  ATTUNE_CHECK(RAND_bytes(bytes, 32) == 1, "keys are never made without randomness");
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  for (int i = 0; i < 43; ++i) {
    const int bit = i * 6;
    const int pair = bytes[bit / 8] << 8 | (bit / 8 + 1 < 33 ? bytes[bit / 8 + 1] : 0);
    text += kDigits[pair >> (10 - bit % 8) & 63];
  }
  return text;
}

}  // namespace attune
