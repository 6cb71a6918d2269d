// One compressed piece of bytes, undone within limits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace attune {

struct InflateLimits {
  size_t bytes;      // of the result
  size_t expansion;  // the result may be this many times as large as what it was made from
};

struct InflateFault {
  enum class Kind {
    kDamaged,   // not gzip or zlib, cut short, or followed by something else; `detail` says which
    kTooLarge,  // more than InflateLimits::bytes; `bytes` had come when it stopped
    kTooDense,  // more than InflateLimits::expansion
  };
  Kind kind = Kind::kDamaged;
  std::string detail;
  size_t bytes = 0;
};

// Undoes gzip or zlib into `out`: one member, and nothing after it. Inflates in pieces of 64 KiB and stops at the first limit
// that is exceeded, so a decompression bomb costs no more memory than the limits. nullopt: `out` has all of it.
std::optional<InflateFault> Inflate(std::string_view compressed, const InflateLimits& limits, std::string* out);

}  // namespace attune
