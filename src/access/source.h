// A source of events: a site, an app or a server that sends with a write key of its own.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// The source of events whose key belongs to no other one.
inline constexpr const char* kDefaultSource = "default";

struct Source {
  std::string name;
  // Origins of pages, as browsers send them (`https://shop.example`), that may read the answers (CORS); empty: all.
  std::vector<std::string> origins;

  bool Allows(std::string_view origin) const {
    return origins.empty() || std::find(origins.begin(), origins.end(), origin) != origins.end();
  }
};

// A source as the configuration gives it.
struct GivenSource {
  Source source;
  std::string write_key;  // in clear; may be empty for kDefaultSource only
};

}  // namespace attune
