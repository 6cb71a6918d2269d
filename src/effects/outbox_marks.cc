#include "effects/outbox_marks.h"

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "effects/stored_effects.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// Effects are evicted in steps of this share of all, so slightly more than the limits may be kept for a short time.
constexpr size_t kShares = 64;

}  // namespace

Status OutboxMarks::Restore(const Store& store) {
  return store.ForEach(keys::kOutboxMarks, [&](std::string_view key, std::string_view value) {
    ByteReader in(value);
    const uint64_t effects = in.U64();
    const Millis at = in.I64();
    const auto id = EffectOfKey(key);
    if (!id || !in.done()) return true;  // at most an entry of a newer program
    if (!marks_.empty()) marked_ += effects;
    marks_.push_back({*id, effects, at});
    return true;
  });
}

Status OutboxMarks::CountStored(const Store& store) {
  const EffectId last = marks_.empty() ? EffectId{} : marks_.back().id;
  return store.ForEach(
      keys::kOutbox,
      [&](std::string_view key, std::string_view value) {
        const auto first = EffectOfKey(key);
        const auto group = first ? EffectGroup::Parse(*first, value) : std::nullopt;
        if (!group || group->last() <= last) return true;
        std::vector<PublishedEffect> effects;
        group->Read(last, group->last(), &effects);
        Count(effects.size(), group->last());
        return true;
      },
      KeyOfGroupsAfter(last));
}

void OutboxMarks::Count(size_t effects, EffectId last) {
  open_ += effects;
  last_ = std::max(last_, last);
  if (open_ * kShares >= max_effects_) SetMark();
}

void OutboxMarks::SetMark() {
  marks_.push_back({last_, open_, kNever});
  marked_ += open_;
  open_ = 0;
  open_since_ = kNever;
}

void OutboxMarks::PutMark(const Mark& mark, WriteBatch* batch) {
  ByteWriter value;
  value.U64(mark.effects);
  value.I64(mark.at);
  batch->Put(keys::kOutboxMarks, EffectKey(mark.id), value.view());
}

void OutboxMarks::DropFirst(WriteBatch* batch) {
  batch->Delete(keys::kOutboxMarks, EffectKey(marks_.front().id));
  marks_.pop_front();
  if (!marks_.empty()) marked_ -= marks_.front().effects;
}

void OutboxMarks::RaiseFloor(EffectId floor, WriteBatch* batch) {
  if (!marks_.empty() && floor <= marks_.front().id) return;
  while (!marks_.empty() && marks_.front().id <= floor) DropFirst(batch);
  if (!marks_.empty()) marked_ += marks_.front().effects;  // some of them are below the floor; the sum is approximate
  marks_.push_front({floor, 0, 0});
  PutMark(marks_.front(), batch);
  batch->DeleteBelow(keys::kOutbox, KeyOfGroupsAfter(floor));
}

uint64_t OutboxMarks::Trim(Millis now, std::optional<EffectId> needed_after, WriteBatch* batch) {
  if (open_ > 0 && open_since_ == kNever) open_since_ = now;
  if (open_ > 0 && now - open_since_ >= max_age_ / static_cast<Millis>(kShares)) SetMark();
  for (auto mark = marks_.rbegin(); mark != marks_.rend() && mark->at == kNever; ++mark) {
    mark->at = now;
    PutMark(*mark, batch);
  }
  uint64_t evicted = 0;
  while (MayEvict(now, needed_after)) {
    evicted += marks_[1].effects;
    DropFirst(batch);
  }
  if (evicted > 0) batch->DeleteBelow(keys::kOutbox, KeyOfGroupsAfter(floor()));
  return evicted;
}

// Whether the effects up to the second mark exceed the limits.
bool OutboxMarks::MayEvict(Millis now, std::optional<EffectId> needed_after) const {
  if (marks_.size() < 2) return false;
  const Mark& next = marks_[1];
  const int times = needed_after && next.id > *needed_after ? held_ : 1;
  return effects() - next.effects >= max_effects_ * static_cast<size_t>(times) || next.at <= now - max_age_ * times;
}

}  // namespace attune
