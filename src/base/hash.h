// Hashes: fast fingerprints (XXH3), checksums (CRC32C) and cryptographic digests (SHA-256).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// XXH3, 64 bits. The same on every machine and in every release: ids and files depend on it.
uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);

struct Hash128Value {
  uint64_t high;
  uint64_t low;
};
Hash128Value Hash128(std::string_view bytes);
// 32 lowercase hexadecimal digits.
std::string ToHex(Hash128Value hash);

// CRC-32C (Castagnoli), as iSCSI and RocksDB use it. `crc` continues an earlier call.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

using Sha256Digest = std::array<uint8_t, 32>;
Sha256Digest Sha256(std::string_view bytes);
std::string ToHex(const Sha256Digest& digest);

// 256 bits from the operating system's generator, as 43 characters of base64url.
std::string RandomToken();

}  // namespace attune
