#include "effects/outbox_consumers.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "state/keyspace.h"

namespace attune {

Status OutboxConsumers::Restore(const Store& store, EffectId floor) {
  floor_ = floor;
  return store.ForEach(keys::kOutboxConsumers, [&](std::string_view name, std::string_view value) {
    ByteReader in(value);
    const auto position = EffectOfKey(in.Raw(12));
    Consumer consumer;
    consumer.gaps = in.U64();
    consumer.lost = in.U64();
    if (!position || !in.done()) return true;  // written by a newer program
    consumer.position = *position;
    consumers_.insert_or_assign(std::string(name), consumer);
    return true;
  });
}

void OutboxConsumers::Add(std::string_view name, EffectId from) {
  if (consumers_.find(name) != consumers_.end()) return;
  Consumer consumer;
  consumer.position = from;
  consumer.changed = true;
  consumers_.emplace(name, consumer);
}

void OutboxConsumers::Remove(std::string_view name) {
  const auto consumer = consumers_.find(name);
  if (consumer == consumers_.end()) return;
  consumers_.erase(consumer);
  removed_.emplace_back(name);
}

void OutboxConsumers::Acknowledge(std::string_view name, EffectId id) {
  const auto found = consumers_.find(name);
  if (found == consumers_.end()) return;
  Consumer& consumer = found->second;
  if (id <= consumer.position) return;
  consumer.position = id;
  consumer.changed = true;
}

void OutboxConsumers::RaiseFloor(EffectId floor, uint64_t lost) {
  for (auto& [name, consumer] : consumers_) {
    if (consumer.position >= floor) continue;
    consumer.gaps += consumer.position >= floor_;  // the floor passes it
    consumer.lost += lost;
    consumer.changed = true;
  }
  floor_ = floor;
}

void OutboxConsumers::Put(WriteBatch* batch) {
  for (const std::string& name : std::exchange(removed_, {})) batch->Delete(keys::kOutboxConsumers, name);
  for (auto& [name, consumer] : consumers_) {
    if (!std::exchange(consumer.changed, false)) continue;
    ByteWriter value(EffectKey(consumer.position));
    value.U64(consumer.gaps);
    value.U64(consumer.lost);
    batch->Put(keys::kOutboxConsumers, name, value.view());
  }
}

EffectId OutboxConsumers::PositionOf(std::string_view name) const {
  const auto consumer = consumers_.find(name);
  ATTUNE_CHECK(consumer != consumers_.end(), "a consumer that reads was added");
  return consumer->second.position;
}

std::optional<EffectId> OutboxConsumers::Slowest() const {
  std::optional<EffectId> slowest;
  for (const auto& [name, consumer] : consumers_) slowest = std::min(slowest.value_or(consumer.position), consumer.position);
  return slowest;
}

}  // namespace attune
