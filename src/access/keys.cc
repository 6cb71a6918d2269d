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

Result<Keys> Keys::Open(Store* store, const std::string& file, const GivenKeys& given) {
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
  for (const auto& [hash, kind] : stored) keys.by_hash_.emplace(hash, Holder{static_cast<KeyKind>(kind), 0});
  keys.AddSources(given);
  for (const KeyKind kind : {KeyKind::kWrite, KeyKind::kApi}) {
    if (keys.Has(kind)) continue;
    const std::string key = NewKey(kind);
    const std::string hash = ToHex(Sha256(key));
    batch.Put(keys::kApiKeys, hash, std::string(1, static_cast<char>(kind)));
    keys.by_hash_.emplace(hash, Holder{kind, 0});
    stored.emplace(hash, static_cast<char>(kind));
    keys.made_.push_back({kind, key});
  }
  if (Status status = batch.empty() ? Status() : store->Write(batch, true); !status.ok()) return status.error();
  if (!beside.ok() || *beside != stored) {
    if (Status status = WriteKeyFile(file, stored); !status.ok()) return status.error();
  }
  keys.sending_.resize(keys.sources_.size());
  for (const auto& [hash, holder] : keys.by_hash_) {
    if (holder.kind == KeyKind::kWrite) keys.sending_[holder.source] = true;
  }
  return keys;
}

void Keys::AddSources(const GivenKeys& given) {
  sources_.push_back({kDefaultSource, {}});
  if (!given.write_key.empty()) by_hash_.emplace(ToHex(Sha256(given.write_key)), Holder{KeyKind::kWrite, 0});
  if (!given.api_key.empty()) by_hash_.emplace(ToHex(Sha256(given.api_key)), Holder{KeyKind::kApi, 0});
  for (const GivenSource& one : given.sources) {
    if (one.source.name == kDefaultSource) {
      sources_[0] = one.source;
    } else {
      sources_.push_back(one.source);
    }
    const size_t index = one.source.name == kDefaultSource ? 0 : sources_.size() - 1;
    if (one.write_key.empty()) continue;
    // The configured meaning replaces a stored one: a key in public pages only sends, and has its source's origins.
    by_hash_.insert_or_assign(ToHex(Sha256(one.write_key)), Holder{KeyKind::kWrite, index});
  }
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
  for (const auto& [hash, holder] : by_hash_) {
    if (holder.kind == kind) return true;
  }
  return false;
}

bool Keys::AnySourceAllows(std::string_view origin) const {
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (sending_[i] && sources_[i].Allows(origin)) return true;
  }
  return false;
}

// The lookup is by hash, so its duration reveals nothing about the key.
std::optional<Keys::Holder> Keys::Find(std::string_view key) const {
  const auto found = by_hash_.find(ToHex(Sha256(key)));
  if (found == by_hash_.end()) return std::nullopt;
  return found->second;
}

}  // namespace attune
