// The keys of callers. Kept as hashes: what is handed out once cannot be read again.
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
  kWrite = 'w',  // may send events, and nothing else: it stands in public pages
  kApi = 'a',    // may ask
};

// The hashes that a store holds.
Result<KeyHashes> StoredKeys(const Store& store);

// Immutable once opened; any thread.
class Keys {
 public:
  // Reads the keys of the store, else, when it has none, those of the file (see key_file.h), which is kept equal to it; one
  // given here (from the environment) counts beside them. With no key of a kind at all, one is made and stored. kCorrupt:
  // the file is damaged and the store has none.
  static Result<Keys> Open(Store* store, const std::string& file, const std::string& write_key, const std::string& api_key);

  // The keys that Open made, in clear: to be shown once.
  struct Made {
    KeyKind kind;
    std::string key;
  };
  const std::vector<Made>& made() const { return made_; }

  // What the key may do; nullopt when nobody holds it.
  std::optional<KeyKind> Find(std::string_view key) const;

 private:
  bool Has(KeyKind kind) const;

  TextMap<KeyKind> by_hash_;  // by the SHA-256 in hexadecimal
  std::vector<Made> made_;
};

}  // namespace attune
