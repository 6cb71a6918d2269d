// Reads a store's outbox in the order of the ids, page by page, to compare it with another ordered source of effects in
// memory that does not grow with the outbox.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "effects/effect.h"
#include "state/store.h"

namespace attune {

class OutboxReader {
 public:
  struct Kept {
    EffectId id;
    uint64_t hash;  // HashOf the effect
  };

  // Holds the effects of about `page_bytes` of groups at a time. `store` must outlive it, and its outbox must not change
  // meanwhile.
  explicit OutboxReader(const Store* store, size_t page_bytes = 64 << 10) : store_(*store), page_bytes_(page_bytes) {}

  // Of all that the effect says.
  static uint64_t HashOf(const PublishedEffect& effect);

  // The first effect with this id or a later one; nullopt when there is none. Ids must not decrease from call to call.
  // Errors as Store::ForEach.
  Result<std::optional<Kept>> Seek(EffectId id);

 private:
  Status ReadPage(EffectId from);

  const Store& store_;
  const size_t page_bytes_;
  std::vector<Kept> kept_;
  size_t next_ = 0;     // in kept_
  bool ended_ = false;  // nothing follows kept_
};

}  // namespace attune
