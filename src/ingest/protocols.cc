#include "ingest/protocols.h"

#include "base/check.h"

namespace attune {

Protocols::Protocols(std::vector<std::unique_ptr<const Protocol>> protocols) : protocols_(std::move(protocols)) {
  for (const auto& protocol : protocols_) {
    for (ProtocolPath& path : protocol->paths()) {
      ATTUNE_CHECK(by_path_.try_emplace(path.path, protocol.get()).second, "a path leads to one protocol");
      paths_.push_back(std::move(path));
    }
  }
}

const Protocol* Protocols::Find(std::string_view path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : found->second;
}

ProtocolReader* ProtocolReaders::Find(std::string_view path) {
  const Protocol* protocol = protocols_.Find(path);
  if (!protocol) return nullptr;
  auto& reader = readers_[protocol];
  if (!reader) reader = protocol->NewReader(*plan_);
  return reader.get();
}

}  // namespace attune
