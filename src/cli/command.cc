#include "cli/command.h"

#include <fmt/format.h>

namespace attune {

int Complain(const std::string& message, int code) {
  fmt::print(stderr, "attune: {}\n", message);
  return code;
}

}  // namespace attune
