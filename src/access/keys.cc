#include "access/keys.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "crypto/random_token.h"
#include "crypto/sha256.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// A prefix that identifies a leaked key as such, 256 random bits, and a checksum that distinguishes a typo from a
// revoked key.
std::string NewKey(KeyKind kind) {
  const std::string body = (kind == KeyKind::kWrite ? "atn_wk_" : "atn_sk_") + RandomToken();
  return fmt::format("{}{:06x}", body, Crc32c(body) & 0xFFFFFF);
}

}  // namespace

Result<Keys> Keys::Open(Store* store, const std::string& file, const std::string& write_key, const std::string& api_key) {
  Keys keys;
  auto read = StoredKeys(*store);
  if (!read.ok()) return read.error();
  KeyHashes stored = std::move(read).value();
  auto beside = ReadKeyFile(file);
  // A damaged file is rewritten from the store. If the store has no keys, the file would be their only copy.
  if (!beside.ok() && (stored.empty() || beside.error().code != ErrorCode::kCorrupt)) return beside.error();
  WriteBatch batch;
  if (stored.empty()) {
    stored = *beside;
    for (const auto& [hash, kind] : stored) batch.Put(keys::kApiKeys, hash, std::string(1, kind));
  }
  for (const auto& [hash, kind] : stored) keys.by_hash_.emplace(hash, static_cast<KeyKind>(kind));
  if (!write_key.empty()) keys.by_hash_.emplace(ToHex(Sha256(write_key)), KeyKind::kWrite);
  if (!api_key.empty()) keys.by_hash_.emplace(ToHex(Sha256(api_key)), KeyKind::kApi);
  for (const KeyKind kind : {KeyKind::kWrite, KeyKind::kApi}) {
    if (keys.Has(kind)) continue;
    const std::string key = NewKey(kind);
    const std::string hash = ToHex(Sha256(key));
    batch.Put(keys::kApiKeys, hash, std::string(1, static_cast<char>(kind)));
    keys.by_hash_.emplace(hash, kind);
    stored.emplace(hash, static_cast<char>(kind));
    keys.made_.push_back({kind, key});
  }
  if (Status status = batch.empty() ? Status() : store->Write(batch, true); !status.ok()) return status.error();
  if (!beside.ok() || *beside != stored) {
    if (Status status = WriteKeyFile(file, stored); !status.ok()) return status.error();
  }
  return keys;
}

Result<KeyHashes> StoredKeys(const Store& store) {
  KeyHashes stored;
  const Status read = store.ForEach(keys::kApiKeys, [&](std::string_view hash, std::string_view kind) {
    if (!kind.empty()) stored.emplace(hash, kind[0]);
    return true;
  });
  if (!read.ok()) return read.error();
  return stored;
}

bool Keys::Has(KeyKind kind) const {
  for (const auto& [hash, other] : by_hash_) {
    if (other == kind) return true;
  }
  return false;
}

// The lookup is by hash, so its duration reveals nothing about the key.
std::optional<KeyKind> Keys::Find(std::string_view key) const {
  const auto found = by_hash_.find(ToHex(Sha256(key)));
  if (found == by_hash_.end()) return std::nullopt;
  return found->second;
}

}  // namespace attune
