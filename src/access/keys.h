// The keys of callers. Only hashes are stored, so a key cannot be read again after it was issued.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/key_file.h"
#include "access/source.h"
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

// Keys that the configuration gives, in clear. They are valid beside the stored ones.
struct GivenKeys {
  std::string write_key;  // of the source `default`; empty: none
  std::string api_key;    // empty: none
  std::vector<GivenSource> sources;
};

// Immutable once opened; any thread.
class Keys {
 public:
  // Reads the keys of the store. If it has none, reads those of the file (see key_file.h), which is kept equal to the
  // store. The given keys are valid in addition; a write key of a given source belongs to that source, also when it is
  // stored. If there is no key of a kind, creates and stores one. kCorrupt: the file is damaged and the store has none.
  static Result<Keys> Open(Store* store, const std::string& file, const GivenKeys& given);

  // The keys that Open created, in clear text: show them once.
  struct Made {
    KeyKind kind;
    std::string key;
  };
  const std::vector<Made>& made() const { return made_; }

  // A key's kind and the source of the events that are sent with it. API keys and stored keys send for `default`.
  struct Holder {
    KeyKind kind;
    size_t source;  // an index of sources()
  };
  // nullopt: the key is unknown.
  std::optional<Holder> Find(std::string_view key) const;

  // `default` first, then those given, in their order. Empty only for a default-constructed object.
  const std::vector<Source>& sources() const { return sources_; }
  // Whether a source that has a write key allows the origin: for answers to requests whose key is not known.
  bool AnySourceAllows(std::string_view origin) const;

 private:
  bool Has(KeyKind kind) const;
  void AddSources(const GivenKeys& given);

  TextMap<Holder> by_hash_;  // by the SHA-256 in hexadecimal
  std::vector<Source> sources_;
  std::vector<bool> sending_;  // by the source: whether it has a write key
  std::vector<Made> made_;
};

}  // namespace attune
