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
