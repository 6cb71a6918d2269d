// A hash map with text keys that can be looked up by view. Its hash is seeded anew in each process, so that no client
// can choose names that fall into one bucket.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <string>
#include <string_view>

namespace attune {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return absl::Hash<std::string_view>{}(text); }
};

template <typename V>
using TextMap = absl::flat_hash_map<std::string, V, TextHash, std::equal_to<>>;

}  // namespace attune
