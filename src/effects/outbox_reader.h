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
    uint64_t hash;  // Hash64 of its bytes
  };

  // Holds `page` effects at a time. `store` must outlive it, and its outbox must not change meanwhile.
  explicit OutboxReader(const Store* store, size_t page = 4096) : store_(*store), page_(page) {}

  // The first effect with this id or a later one; nullopt when there is none. Ids must not decrease from call to call.
  // Errors as Store::ForEach.
  Result<std::optional<Kept>> Seek(EffectId id);

 private:
  Status ReadPage(EffectId from);

  const Store& store_;
  const size_t page_;
  std::vector<Kept> kept_;
  size_t next_ = 0;     // in kept_
  bool ended_ = false;  // nothing follows kept_
};

}  // namespace attune
