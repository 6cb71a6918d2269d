// Limits the connections per network, so that one network cannot take them all. Internal to this module.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/text_map.h"

namespace attune::http {

// Thread-safe.
class NetworkCap : public std::enable_shared_from_this<NetworkCap> {
 public:
  // A connection's slot in its network, released on destruction.
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

  // 0: no limit.
  explicit NetworkCap(int most) : most_(most) {}

  // nullopt: the address's network is at its limit.
  std::optional<Place> Enter(std::string_view address);

 private:
  void Leave(const std::string& network);

  const int most_;
  std::mutex mutex_;
  TextMap<int> open_;  // by network
};

}  // namespace attune::http
