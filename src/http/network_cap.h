// How many connections each network has: one neighbour cannot take them all. Internal to this module.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/text_map.h"

namespace attune::http {

// The network of an address as text: its first 24 bits (IPv4, also when written as IPv6) or 48 (IPv6). nullopt for
// loopback, which a proxy on this machine sends everybody's requests from, and for what is no address.
std::optional<std::string> NetworkOf(std::string_view address);

// Any thread.
class NetworkCap : public std::enable_shared_from_this<NetworkCap> {
 public:
  // A place among the connections of its network, until it is destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&&) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    friend class NetworkCap;
    std::shared_ptr<NetworkCap> cap_;  // null: not counted
    std::string network_;
  };

  // 0: no cap.
  explicit NetworkCap(int most) : most_(most) {}

  // nullopt: the address's network has as many as it may.
  std::optional<Place> Enter(std::string_view address);

 private:
  void Leave(const std::string& network);

  const int most_;
  std::mutex mutex_;
  TextMap<int> open_;  // by network
};

}  // namespace attune::http
