// A hash map with text keys that can be looked up by view. Its hash has a random seed in each process, so that clients
// cannot choose names that collide.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/strings/string_view.h>

#include <functional>
#include <string>
#include <string_view>

namespace attune {

struct TextHash {
  using is_transparent = void;
  // Uses Abseil's own view, because Abseil may hash std::string_view by std::hash, whose seed is public.
  size_t operator()(std::string_view text) const {
    return absl::Hash<absl::string_view>{}(absl::string_view(text.data(), text.size()));
  }
};

template <typename V>
using TextMap = absl::flat_hash_map<std::string, V, TextHash, std::equal_to<>>;

}  // namespace attune
