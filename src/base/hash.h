// Hashes: fast fingerprints (XXH3) and checksums (CRC32C). Cryptographic digests are in crypto/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace attune {

// XXH3, 64 bits. Stable across machines and releases: ids and files depend on it.
uint64_t Hash64(std::string_view bytes, uint64_t seed = 0);

struct Hash128Value {
  uint64_t high;
  uint64_t low;
};
Hash128Value Hash128(std::string_view bytes);
// 32 lowercase hexadecimal digits.
std::string ToHex(Hash128Value hash);
// Two lowercase hexadecimal digits per byte.
std::string HexOf(std::string_view bytes);

// CRC-32C (Castagnoli), as in iSCSI and RocksDB. `crc` continues an earlier call.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace attune
