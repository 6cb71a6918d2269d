#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace attune {

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "attune: a bug: %s:%d: %s does not hold: %s\n", file, line, condition, why);
  std::abort();
}

}  // namespace attune
