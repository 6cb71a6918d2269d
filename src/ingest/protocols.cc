#include "ingest/protocols.h"

#include "base/check.h"

namespace attune {

Protocols::Protocols(std::vector<std::unique_ptr<const Protocol>> protocols, std::vector<std::unique_ptr<const EventStage>> stages)
    : protocols_(std::move(protocols)), stages_(std::move(stages)) {
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

ParsedRequest ProtocolReaders::Read(const ProtocolRequest& request) {
  ParsedRequest read = ReaderOf(request.path).Read(request);
  for (ParsedEvent& event : read.events) Pass(&event);
  return read;
}

ParsedEvent ProtocolReaders::ReadEvent(const KeptEvent& event) {
  ParsedEvent read = ReaderOf(event.path).ReadEvent(event);
  Pass(&read);
  return read;
}

ProtocolReader& ProtocolReaders::ReaderOf(std::string_view path) {
  const Protocol* protocol = protocols_.Find(path);
  ATTUNE_CHECK(protocol, "the path is one that a protocol serves");
  auto& reader = readers_[protocol];
  if (!reader) reader = protocol->NewReader(*plan_);
  return *reader;
}

void ProtocolReaders::Pass(ParsedEvent* event) const {
  for (const auto& stage : protocols_.stages()) {
    if (!event->ok() || event->dropped) return;
    event->dropped = !stage->Pass(event);
  }
}

}  // namespace attune
