// The keys of callers. Only hashes are stored, so a key cannot be read again after it was issued.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/key_file.h"
#include "base/result.h"
#include "base/text_map.h"
#include "state/store.h"

namespace attune {

enum class KeyKind : uint8_t {
  kWrite = 'w',  // may only send events: it is in public pages
  kApi = 'a',    // may read
};

// The hashes that a store holds.
Result<KeyHashes> StoredKeys(const Store& store);

// Immutable once opened; any thread.
class Keys {
 public:
  // Reads the keys of the store. If it has none, reads those of the file (see key_file.h), which is kept equal to the
  // store. A key given here (from the environment) is valid in addition. If there is no key of a kind, creates and
  // stores one. kCorrupt: the file is damaged and the store has none.
  static Result<Keys> Open(Store* store, const std::string& file, const std::string& write_key, const std::string& api_key);

  // The keys that Open created, in clear text: show them once.
  struct Made {
    KeyKind kind;
    std::string key;
  };
  const std::vector<Made>& made() const { return made_; }

  // What the key permits; nullopt for an unknown key.
  std::optional<KeyKind> Find(std::string_view key) const;

 private:
  bool Has(KeyKind kind) const;

  TextMap<KeyKind> by_hash_;  // by the SHA-256 in hexadecimal
  std::vector<Made> made_;
};

}  // namespace attune
