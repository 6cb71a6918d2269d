#include "http/network_cap.h"

#include <boost/asio/ip/address.hpp>

#include "http/asio.h"

namespace attune::http {

std::optional<std::string> NetworkOf(std::string_view address) {
  namespace ip = boost::asio::ip;
  boost::system::error_code ec;
  auto parsed = ip::make_address(std::string(address), ec);
  if (ec) return std::nullopt;
  if (parsed.is_v6() && parsed.to_v6().is_v4_mapped()) parsed = ip::make_address_v4(ip::v4_mapped, parsed.to_v6());
  if (parsed.is_loopback()) return std::nullopt;
  if (parsed.is_v4()) {
    const auto bytes = parsed.to_v4().to_bytes();
    return std::string(bytes.begin(), bytes.begin() + 3);
  }
  const auto bytes = parsed.to_v6().to_bytes();
  return std::string(bytes.begin(), bytes.begin() + 6);
}

std::optional<NetworkCap::Place> NetworkCap::Enter(std::string_view address) {
  Place place;
  const auto network = most_ > 0 ? NetworkOf(address) : std::nullopt;
  if (!network) return place;
  const std::lock_guard hold(mutex_);
  int& open = open_[*network];
  if (open >= most_) return std::nullopt;
  ++open;
  place.cap_ = shared_from_this();
  place.network_ = *network;
  return place;
}

void NetworkCap::Leave(const std::string& network) {
  const std::lock_guard hold(mutex_);
  const auto found = open_.find(network);
  if (--found->second == 0) open_.erase(found);
}

NetworkCap::Place::~Place() {
  if (cap_) cap_->Leave(network_);
}

}  // namespace attune::http
