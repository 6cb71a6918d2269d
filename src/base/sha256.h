// SHA-256 of what comes piece by piece.
#pragma once

#include <memory>
#include <string_view>

#include "base/hash.h"

namespace attune {

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;

  void Add(std::string_view bytes);
  // Of all that was added; once.
  Sha256Digest Finish();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace attune
