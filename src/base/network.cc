#include "base/network.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <cstring>

namespace attune {

std::string NetworkOf(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));  // without the interface (zone id)
  in_addr four{};
  in6_addr six{};
  char shown[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, text.c_str(), &six) == 1) {
    if (!IN6_IS_ADDR_V4MAPPED(&six)) {
      std::memset(six.s6_addr + 6, 0, 10);
      return fmt::format("{}/48", inet_ntop(AF_INET6, &six, shown, sizeof shown));
    }
    std::memcpy(&four, six.s6_addr + 12, 4);
  } else if (inet_pton(AF_INET, text.c_str(), &four) != 1) {
    return "-";
  }
  four.s_addr &= htonl(0xFFFFFF00);
  return fmt::format("{}/24", inet_ntop(AF_INET, &four, shown, sizeof shown));
}

bool IsLoopback(std::string_view network) { return network.starts_with("127.") || network == "::/48"; }

}  // namespace attune
