// The positions of the outbox's named consumers: how far each has come, in memory and in the store.
//
// A consumer acknowledges effects once it has done with them. The outbox keeps what the slowest consumer has not
// acknowledged, up to a limit; beyond it effects are evicted, and the consumer's next page says which ones it missed.
// Positions are written about once a second, so after a crash a consumer gets some effects again; it never misses one.
//
// In the store, by name: EffectKey of the position, u64 gaps, u64 effects lost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "effects/effect.h"
#include "state/store.h"

namespace attune {

class OutboxConsumers {
 public:
  struct Consumer {
    EffectId position;      // this effect and those before it are done with
    uint64_t gaps = 0;      // how often effects were evicted that it had not acknowledged, since it first came
    uint64_t lost = 0;      // these effects, about
    bool changed = false;   // since the last Put
  };

  // `floor`: effects up to this one are gone already.
  Status Restore(const Store& store, EffectId floor);
  bool Has(std::string_view name) const { return consumers_.find(name) != consumers_.end(); }
  // A consumer that is new; it begins after `from`.
  void Add(std::string_view name, EffectId from);
  // Its position is no longer kept, nor in the store after the next Put.
  void Remove(std::string_view name);
  // A position only rises. Without effect for a name that was not added.
  void Acknowledge(std::string_view name, EffectId id);
  // Call it when effects up to `floor` have been evicted. `lost`: about how many since the last call.
  void RaiseFloor(EffectId floor, uint64_t lost);
  // Adds to the batch what changed since the last call.
  void Put(WriteBatch* batch);

  // Of a consumer that was added.
  EffectId PositionOf(std::string_view name) const;
  // nullopt: there are no consumers.
  std::optional<EffectId> Slowest() const;
  const std::map<std::string, Consumer, std::less<>>& consumers() const { return consumers_; }

 private:
  EffectId floor_;
  std::map<std::string, Consumer, std::less<>> consumers_;
  std::vector<std::string> removed_;  // since the last Put
};

}  // namespace attune
