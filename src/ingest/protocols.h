// The protocols that are served, found by path.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "ingest/protocol.h"

namespace attune {

// Immutable; any thread.
class Protocols {
 public:
  explicit Protocols(std::vector<std::unique_ptr<const Protocol>> protocols);

  // Null when none serves the path.
  const Protocol* Find(std::string_view path) const;
  // Of all protocols, in the order in which they were given.
  std::span<const ProtocolPath> paths() const { return paths_; }

 private:
  std::vector<std::unique_ptr<const Protocol>> protocols_;
  std::vector<ProtocolPath> paths_;
  TextMap<const Protocol*> by_path_;
};

// The readers of all protocols for one plan, each made when it is first needed. One for each thread.
class ProtocolReaders {
 public:
  // `protocols` must outlive it.
  ProtocolReaders(const Protocols* protocols, std::shared_ptr<const Plan> plan)
      : protocols_(*protocols), plan_(std::move(plan)) {}

  // Null when no protocol serves the path.
  ProtocolReader* Find(std::string_view path);
  const std::shared_ptr<const Plan>& plan() const { return plan_; }

 private:
  const Protocols& protocols_;
  const std::shared_ptr<const Plan> plan_;
  absl::flat_hash_map<const Protocol*, std::unique_ptr<ProtocolReader>> readers_;
};

}  // namespace attune
