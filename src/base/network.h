// The networks of client addresses.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// `203.0.113.0/24`, `2001:db8:1::/48`: the network of an address, for logs and limits that must not identify a client.
// An IPv4 address mapped to IPv6 counts as IPv4. `-` for text that is not an address.
std::string NetworkOf(std::string_view address);
// Whether a network is this machine, from which a local proxy sends every client's requests.
bool IsLoopback(std::string_view network);

}  // namespace attune
