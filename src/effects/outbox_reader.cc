#include "effects/outbox_reader.h"

#include "base/hash.h"
#include "effects/stored_effects.h"

namespace attune {
namespace {

// The last id before this one.
EffectId Before(EffectId id) {
  if (id.index > 0) return {id.sequence, id.index - 1};
  return id.sequence > 0 ? After(id.sequence - 1) : EffectId{};
}

}  // namespace

uint64_t OutboxReader::HashOf(const PublishedEffect& effect) { return Hash64(effect.Json()); }

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
  const auto page = ReadStoredEffects(store_, Before(from), After(UINT64_MAX), page_bytes_);
  if (!page.ok()) return page.error();
  for (const PublishedEffect& effect : page->effects) kept_.push_back({effect.id, HashOf(effect)});
  ended_ = !page->more;
  return {};
}

}  // namespace attune
