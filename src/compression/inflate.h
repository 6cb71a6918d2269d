// Decompresses one buffer within limits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace attune {

struct InflateLimits {
  size_t bytes;      // of the result
  size_t expansion;  // the largest ratio of the result's size to the input's
};

struct InflateFault {
  enum class Kind {
    kDamaged,   // not gzip or zlib, truncated, or followed by other data; `detail` has the reason
    kTooLarge,  // more than InflateLimits::bytes; `bytes` is the size at which it stopped
    kTooDense,  // more than InflateLimits::expansion
  };
  Kind kind = Kind::kDamaged;
  std::string detail;
  size_t bytes = 0;
};

// Decompresses gzip or zlib into `out`: one member, with nothing after it. Works in pieces of 64 KiB and stops at the
// first limit exceeded, so a decompression bomb uses no more memory than the limits. nullopt: success, `out` is
// complete.
std::optional<InflateFault> Inflate(std::string_view compressed, const InflateLimits& limits, std::string* out);

}  // namespace attune
