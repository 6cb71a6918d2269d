#include "crypto/sha256.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/check.h"
#include "base/hash.h"

namespace attune {

Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string ToHex(const Sha256Digest& digest) { return HexOf({reinterpret_cast<const char*>(digest.data()), digest.size()}); }

struct Sha256Stream::Rep {
  Rep() = default;
  Rep(const Rep&) = delete;
  Rep& operator=(const Rep&) = delete;
  ~Rep() { EVP_MD_CTX_free(context); }
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
};

Sha256Stream::Sha256Stream() : rep_(std::make_unique<Rep>()) {
  ATTUNE_CHECK(rep_->context && EVP_DigestInit_ex(rep_->context, EVP_sha256(), nullptr) == 1, "SHA-256 is always there");
}
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Add(std::string_view bytes) {
  ATTUNE_CHECK(EVP_DigestUpdate(rep_->context, bytes.data(), bytes.size()) == 1, "a digest takes any bytes");
}

Sha256Digest Sha256Stream::Finish() {
  Sha256Digest digest;
  ATTUNE_CHECK(EVP_DigestFinal_ex(rep_->context, digest.data(), nullptr) == 1, "a digest ends once");
  return digest;
}

}  // namespace attune
