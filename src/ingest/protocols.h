// The protocols that are served, found by path, and the stages that their events pass.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/text_map.h"
#include "ingest/event_stage.h"
#include "ingest/protocol.h"

namespace attune {

// Immutable; any thread.
class Protocols {
 public:
  // Events pass the stages in this order, until one drops them.
  explicit Protocols(std::vector<std::unique_ptr<const Protocol>> protocols, std::vector<std::unique_ptr<const EventStage>> stages = {});

  // Null when none serves the path.
  const Protocol* Find(std::string_view path) const;
  // Of all protocols, in the order in which they were given.
  std::span<const ProtocolPath> paths() const { return paths_; }
  std::span<const std::unique_ptr<const EventStage>> stages() const { return stages_; }

 private:
  std::vector<std::unique_ptr<const Protocol>> protocols_;
  std::vector<std::unique_ptr<const EventStage>> stages_;
  std::vector<ProtocolPath> paths_;
  TextMap<const Protocol*> by_path_;
};

// The readers of all protocols for one plan, each made when it is first needed. Every event that may be logged comes from
// here, and has passed the stages. One for each thread.
class ProtocolReaders {
 public:
  // `protocols` must outlive it.
  ProtocolReaders(const Protocols* protocols, std::shared_ptr<const Plan> plan)
      : protocols_(*protocols), plan_(std::move(plan)) {}

  bool Serves(std::string_view path) const { return protocols_.Find(path) != nullptr; }
  // As ProtocolReader. Requires that a protocol serves the path.
  ParsedRequest Read(const ProtocolRequest& request);
  ParsedEvent ReadEvent(const KeptEvent& event);
  const std::shared_ptr<const Plan>& plan() const { return plan_; }

 private:
  ProtocolReader& ReaderOf(std::string_view path);
  void Pass(ParsedEvent* event) const;

  const Protocols& protocols_;
  const std::shared_ptr<const Plan> plan_;
  absl::flat_hash_map<const Protocol*, std::unique_ptr<ProtocolReader>> readers_;
};

}  // namespace attune
