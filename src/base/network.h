// The networks that clients come from.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// `203.0.113.0/24`, `2001:db8:1::/48`: the network of an address, which says of whom a request came no more than that. An IPv4
// address within IPv6 counts as what it is. `-` for what is no address.
std::string NetworkOf(std::string_view address);
// Of a network: whether it is this machine, where a proxy sends everybody's requests from.
bool IsLoopback(std::string_view network);

}  // namespace attune
