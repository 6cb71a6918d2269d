#include "effects/outbox_reader.h"

#include "base/hash.h"
#include "state/keyspace.h"

namespace attune {

Result<std::optional<OutboxReader::Kept>> OutboxReader::Seek(EffectId id) {
  while (true) {
    while (next_ < kept_.size() && kept_[next_].id < id) ++next_;
    if (next_ < kept_.size()) return std::optional(kept_[next_]);
    if (ended_) return std::optional<Kept>();
    if (Status status = ReadPage(id); !status.ok()) return status.error();
  }
}

// A gap between the end of the previous page and `from` is skipped without reading it.
Status OutboxReader::ReadPage(EffectId from) {
  kept_.clear();
  next_ = 0;
  const Status read = store_.ForEach(
      keys::kOutbox,
      [&](std::string_view key, std::string_view bytes) {
        if (const auto id = EffectOfKey(key)) kept_.push_back({*id, Hash64(bytes)});
        return kept_.size() < page_;
      },
      EffectKey(from));
  ended_ = kept_.size() < page_;
  return read;
}

}  // namespace attune
