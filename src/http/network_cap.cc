#include "http/network_cap.h"

#include "base/network.h"

namespace attune::http {

std::optional<NetworkCap::Place> NetworkCap::Enter(std::string_view address) {
  Place place;
  if (most_ <= 0) return place;
  const std::string network = NetworkOf(address);
  if (IsLoopback(network)) return place;
  const std::lock_guard hold(mutex_);
  int& open = open_[network];
  if (open >= most_) return std::nullopt;
  ++open;
  place.cap_ = shared_from_this();
  place.network_ = network;
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
