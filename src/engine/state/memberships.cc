#include "engine/state/memberships.h"

#include <algorithm>
#include <utility>

namespace attune {

void Memberships::Note(size_t tracked, Millis at, bool held) {
  std::vector<Millis>& changes = changes_[tracked];
  if (!changes.empty() && changes.back() == at) changes.pop_back();
  const bool before = changes.size() % 2 == 1;
  if (held == before) return;
  // Drops stays that ended before any window begins. Only done when the vector would grow.
  if (changes.size() == changes.capacity()) {
    const Millis span = program_.tracked[tracked].keep_span;
    const size_t most = program_.series_limit;
    size_t drop = 0;
    while (span != kNever && drop + 1 < changes.size() && changes[drop + 1] <= at - span) drop += 2;
    if (changes.size() - drop >= most + most / 8 + 2) {
      drop = (changes.size() - most + 1) / 2 * 2;
      truncated_ = true;
    }
    changes.erase(changes.begin(), changes.begin() + static_cast<ptrdiff_t>(drop));
  }
  changes.push_back(at);
}

void Memberships::ForgetChanges(Millis from) {
  for (std::vector<Millis>& changes : changes_) {
    changes.erase(std::lower_bound(changes.begin(), changes.end(), from), changes.end());
  }
}

void Memberships::Add(PastEvent event, Millis now, Interner* interner) {
  const size_t limit = program_.series_limit;
  if (events_.size() == events_.capacity()) {
    const Millis span = program_.past.span;
    size_t old = 0;
    while (span != kNever && old < events_.size() && events_[old].time <= now - span) ++old;
    if (old > 0) Drop(old, interner);
  }
  if (events_.size() >= limit + limit / 8 + 8) {  // in batches: each drop moves all events
    Drop(events_.size() - limit, interner);
    truncated_ = true;
  }
  const auto place = std::upper_bound(events_.begin(), events_.end(), event.time,
                                      [](Millis time, const PastEvent& other) { return time < other.time; });
  events_.insert(place, std::move(event));
}

void Memberships::Drop(size_t events, Interner* interner) {
  for (size_t i = 0; i < events; ++i) {
    const PastEvent& event = events_[i];
    for (size_t w = MaskWords(event.name); w < WordsOf(event.name); ++w) Stored::FromBits(event.words[w]).Release(interner);
  }
  events_.erase(events_.begin(), events_.begin() + static_cast<ptrdiff_t>(events));
}

void Memberships::Add(Fact fact) {
  const size_t limit = program_.series_limit;
  if (facts_.size() >= limit + limit / 8 + 8) {
    facts_.erase(facts_.begin(), facts_.end() - static_cast<ptrdiff_t>(limit));
    truncated_ = true;
  }
  const auto place = std::upper_bound(facts_.begin(), facts_.end(), fact.time,
                                      [](Millis time, const Fact& other) { return time < other.time; });
  facts_.insert(place, std::move(fact));
}

size_t Memberships::MemoryBytes() const {
  size_t bytes = sizeof(Memberships) + changes_.capacity() * sizeof(changes_[0]) + events_.capacity() * sizeof(PastEvent);
  for (const auto& changes : changes_) bytes += changes.capacity() * sizeof(Millis);
  for (const PastEvent& event : events_) bytes += WordsOf(event.name) * sizeof(uint64_t);
  for (const Fact& fact : facts_) bytes += sizeof(Fact) + fact.name.capacity() + fact.json.capacity();
  return bytes;
}

void Memberships::Write(const Interner& interner, ByteWriter* out) const {
  out->Bool(truncated_);
  for (const auto& changes : changes_) {
    out->Varint(changes.size());
    for (const Millis at : changes) out->I64(at);
  }
  out->Varint(events_.size());
  for (const PastEvent& event : events_) {
    out->I64(event.time);
    out->Varint(event.name);
    const size_t mask = MaskWords(event.name);
    for (size_t w = 0; w < mask; ++w) out->U64(event.words[w]);
    for (size_t w = mask; w < WordsOf(event.name); ++w) WriteStored(Stored::FromBits(event.words[w]), interner, out);
  }
  out->Varint(facts_.size());
  for (const Fact& fact : facts_) fact.Write(out);
}

bool Memberships::Read(ByteReader* in, Interner* interner) {
  truncated_ = in->Bool();
  for (auto& changes : changes_) {
    const uint64_t size = in->Varint();
    if (size > in->remaining()) return false;
    for (uint64_t i = 0; i < size; ++i) changes.push_back(in->I64());
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    PastEvent event;
    event.time = in->I64();
    const uint64_t name = in->Varint();
    if (name >= program_.fields_of_name.size()) return false;
    event.name = static_cast<NameId>(name);
    const size_t mask = MaskWords(event.name);
    event.words = std::make_unique<uint64_t[]>(WordsOf(event.name));
    for (size_t w = 0; w < mask; ++w) event.words[w] = in->U64();
    for (size_t w = mask; w < WordsOf(event.name); ++w) event.words[w] = ReadStored(in, interner).bits();
    events_.push_back(std::move(event));
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    if (!facts_.emplace_back().Read(in)) return false;
  }
  return in->ok();
}

}  // namespace attune
