#include "engine/state/keys.h"

#include <algorithm>
#include <functional>

namespace attune {

Key* KeyStates::Take(Stored value, Millis time, size_t limit, Interner* interner) {
  const auto found = keys_.find(value.bits());
  Key* key = found == keys_.end() ? nullptr : found->second.get();
  if (key) {
    value.Release(interner);
  } else {
    if (keys_.size() >= limit + limit / 8 + 1) Forget(limit, interner);  // in batches: each call reads all keys
    key = keys_.emplace(value.bits(), std::make_unique<Key>(value, within_)).first->second.get();
    stale_.push_back(key);
  }
  key->touched = ++events_;
  if (time >= key->last) {
    key->last = time;
    key->seen = events_;
  }
  return key;
}

void KeyStates::Invalidate(Key* key) {
  if (key->stale) return;
  key->stale = true;
  stale_.push_back(key);
}

void KeyStates::CopyHolding(const KeyStates& other) {
  for (const auto& [bits, key] : other.keys_) {
    const auto found = keys_.find(bits);
    if (!key->holds || found == keys_.end() || found->second->holds) continue;
    found->second->holds = true;
    ++holding_;
  }
}

void KeyStates::ClearHolding() {
  for (const auto& [bits, key] : keys_) key->holds = false;
  holding_ = 0;
}

// Moves the stale keys into at_hand_.
void KeyStates::TakeStale(Millis t) {
  if (all_stale_) {
    for (const auto& [bits, key] : keys_) {
      at_hand_.push_back(key.get());
      key->until = key->queued = kNever;
    }
    dues_.clear();
    stale_.clear();
    all_stale_ = false;
    return;
  }
  at_hand_.swap(stale_);
  while (!dues_.empty() && dues_.front().at <= t) {
    Key* key = PopDue();
    if (!key) continue;
    key->until = kNever;  // the heap may have the same instant twice
    if (!key->stale) at_hand_.push_back(key);
  }
}

void KeyStates::SetDue(Key* key) {
  if (key->until == kNever || key->until == key->queued) return;
  key->queued = key->until;
  dues_.push_back({key->until, key->value.bits()});
  std::push_heap(dues_.begin(), dues_.end(), std::greater<>());
  if (dues_.size() <= 2 * keys_.size() + 16) return;
  // Most entries were obsolete: remove them.
  dues_.clear();
  for (const auto& [bits, each] : keys_) {
    each->queued = each->until;
    if (each->until != kNever) dues_.push_back({each->until, bits});
  }
  std::make_heap(dues_.begin(), dues_.end(), std::greater<>());
}

// Returns the key of the popped entry; null if the entry is obsolete.
Key* KeyStates::PopDue() {
  const Due due = dues_.front();
  std::pop_heap(dues_.begin(), dues_.end(), std::greater<>());
  dues_.pop_back();
  const auto found = keys_.find(due.key);
  if (found == keys_.end()) return nullptr;
  Key* key = found->second.get();
  if (key->queued == due.at) key->queued = kNever;
  return key->until == due.at ? key : nullptr;
}

bool KeyStates::IsDue(const Due& due) const {
  const auto found = keys_.find(due.key);
  return found != keys_.end() && found->second->until == due.at;
}

Millis KeyStates::NextDue() {
  while (!dues_.empty() && !IsDue(dues_.front())) PopDue();
  return dues_.empty() ? kNever : dues_.front().at;
}

void KeyStates::Forget(size_t limit, Interner* interner) {
  std::vector<Key*> all;
  for (const auto& [bits, key] : keys_) all.push_back(key.get());
  const auto first = all.begin() + static_cast<ptrdiff_t>(all.size() - limit);
  std::nth_element(all.begin(), first, all.end(), [](const Key* a, const Key* b) { return a->touched < b->touched; });
  std::erase_if(stale_, [&](const Key* key) { return key->touched < (*first)->touched; });
  for (auto key = all.begin(); key != first; ++key) {
    const Stored value = (*key)->value;
    holding_ -= (*key)->holds ? 1 : 0;
    (*key)->state.ReleaseTexts(interner);
    keys_.erase(value.bits());
    value.Release(interner);
  }
  truncated_ = true;
  // The id of a text may be reused for another.
  std::erase_if(dues_, [&](const Due& due) { return !keys_.contains(due.key); });
  std::make_heap(dues_.begin(), dues_.end(), std::greater<>());
}

void KeyStates::ReleaseTexts(Interner* interner) {
  for (const auto& [bits, key] : keys_) {
    key->state.ReleaseTexts(interner);
    key->value.Release(interner);
  }
}

size_t KeyStates::MemoryBytes() const {
  size_t bytes = sizeof(KeyStates) + keys_.capacity() * (sizeof(uint64_t) + sizeof(void*) + 1) + dues_.capacity() * sizeof(Due) +
                 (stale_.capacity() + at_hand_.capacity()) * sizeof(Key*);
  for (const auto& [bits, key] : keys_) bytes += sizeof(Key) - sizeof(UserState) + key->state.MemoryBytes();
  return bytes;
}

// Writes keys in the order of their last events, so that equal states have equal bytes.
void KeyStates::Write(const Interner& interner, ByteWriter* out) const {
  std::vector<const Key*> all;
  for (const auto& [bits, key] : keys_) all.push_back(key.get());
  std::sort(all.begin(), all.end(), [](const Key* a, const Key* b) { return a->touched < b->touched; });
  out->Varint(events_);
  out->Bool(truncated_);
  out->Varint(all.size());
  ByteWriter state;
  for (const Key* key : all) {
    WriteStored(key->value, interner, out);
    out->I64(key->last);
    out->Varint(key->seen);
    out->Varint(key->touched);
    out->Bool(key->holds);
    state.Clear();
    WriteUser(key->state, interner, &state);
    out->String(state.view());
  }
}

bool KeyStates::Read(Interner* interner, ByteReader* in) {
  events_ = in->Varint();
  truncated_ = in->Bool();
  all_stale_ = true;  // how long the outcomes last is not written
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    auto key = std::make_unique<Key>(ReadStored(in, interner), within_);
    key->last = in->I64();
    key->seen = in->Varint();
    key->touched = in->Varint();
    key->holds = in->Bool();
    holding_ += key->holds ? 1 : 0;
    ByteReader state(in->String());
    const uint64_t bits = key->value.bits();
    if (!in->ok() || !ReadUser(&state, interner, &key->state) || !keys_.emplace(bits, std::move(key)).second) return false;
  }
  return in->ok();
}

}  // namespace attune
