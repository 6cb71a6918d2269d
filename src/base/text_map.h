// A hash map with text keys that can be looked up by view. Its hash is seeded anew in each process, so that no client
// can choose names that fall into one bucket.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

#include <functional>
#include <string>
#include <string_view>

namespace attune {

struct TextHash {
  using is_transparent = void;
  // As Abseil's own view: of the standard's it may know no more than std::hash, whose seed everybody knows.
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>{}(absl::string_view(text.data(), text.size()));
  }
};

template <typename V>
using TextMap = absl::flat_hash_map<std::string, V, TextHash, std::equal_to<>>;

}  // namespace attune
