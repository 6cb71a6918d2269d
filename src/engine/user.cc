#include "engine/user.h"

#include <algorithm>

namespace attune {
namespace {

constexpr size_t kScanned = 32;  // up to so many ids are simply compared
constexpr uint8_t kUserVersion = 2;  // 1 had no `record` in recent events

bool HoldsValue(TotalSpec::Kind kind) {
  using K = TotalSpec::Kind;
  return kind == K::kMin || kind == K::kMax || kind == K::kFirst || kind == K::kLast;
}

}  // namespace

bool SeenIds::Within(uint64_t id, Millis time, Millis span) const {
  if (index_ && !index_->contains(id)) return false;
  return std::any_of(ids_.begin(), ids_.end(), [&](const Entry& e) { return e.id == id && std::abs(e.time - time) < span; });
}

void SeenIds::Add(uint64_t id, Millis time, size_t limit) {
  if (ids_.size() >= limit + limit / 8 + 8) {  // many at a time: each costs a move of all
    ids_.erase(ids_.begin(), ids_.end() - static_cast<ptrdiff_t>(limit));
    index_.reset();
  }
  if (ids_.size() == ids_.capacity()) ids_.reserve(ids_.size() + 2 + ids_.size() / 4);
  ids_.push_back({id, time});
  if (index_) {
    index_->insert(id);
  } else if (ids_.size() > kScanned) {
    Index();
  }
}

void SeenIds::Index() {
  index_ = std::make_unique<absl::flat_hash_set<uint64_t>>();
  for (const Entry& entry : ids_) index_->insert(entry.id);
}

void SeenIds::Write(ByteWriter* out) const {
  out->Varint(ids_.size());
  for (const Entry& entry : ids_) {
    out->U64(entry.id);
    out->I64(entry.time);
  }
}

bool SeenIds::Read(ByteReader* in) {
  const uint64_t size = in->Varint();
  if (size > in->remaining()) return false;
  ids_.resize(size);
  for (Entry& entry : ids_) {
    entry.id = in->U64();
    entry.time = in->I64();
  }
  if (ids_.size() > kScanned) Index();
  return in->ok();
}

size_t UserState::MemoryBytes() const {
  size_t bytes = sizeof(UserState) + (id.capacity() > 15 ? id.capacity() + 1 : 0) + series.MemoryBytes() + totals.MemoryBytes() +
                 sessions.MemoryBytes() + seen.MemoryBytes() + members.MemoryBytes() +
                 dues.MemoryBytes() + firings.capacity() * sizeof(Firing) + recent.capacity() * sizeof(RecentEvent);
  series.ForEach([&](uint32_t, const Series& s) { bytes += s.MemoryBytes(); });
  if (traits) {
    for (const Trait& trait : *traits) bytes += sizeof(Trait) + trait.name.capacity() + trait.json.capacity();
  }
  return bytes;
}

void WriteUser(const UserState& user, const Program& program, const Interner& interner, ByteWriter* out) {
  out->U8(kUserVersion);
  out->I64(user.first_seen);
  out->I64(user.now);
  out->I64(user.looked);
  out->Varint(user.series.size());
  user.series.ForEach([&](uint32_t index, const Series& series) {
    out->Varint(index);
    series.Write(interner, program.series[index].field != kNone, out);
  });
  out->Varint(user.totals.size());
  user.totals.ForEach([&](uint32_t index, const Total& total) {
    out->Varint(index);
    if (HoldsValue(program.totals[index].kind)) {
      WriteStored(Stored::FromBits(total.value), interner, out);
    } else {
      out->Double(total.number);
      out->Double(total.low);
    }
    out->I64(total.time);
  });
  user.sessions.Write(out);
  user.seen.Write(out);
  const auto pair = [&](ConditionId c, Millis at) {
    out->Varint(c);
    out->I64(at);
  };
  out->Varint(user.members.size());
  user.members.ForEach(pair);
  out->Varint(user.dues.size());
  user.dues.ForEach(pair);
  out->Varint(user.firings.size());
  for (const Firing& firing : user.firings) pair(firing.condition, firing.at);
  out->Varint(user.recent.size());
  for (const RecentEvent& event : user.recent) {
    out->String(interner.Get(event.name));
    out->U32(event.record);
    out->I64(event.time);
  }
  out->Varint(user.traits ? user.traits->size() : 0);
  if (!user.traits) return;
  for (const Trait& trait : *user.traits) {
    out->String(trait.name);
    out->I64(trait.time);
    out->String(trait.json);
  }
}

bool ReadUser(ByteReader* in, const Program& program, Interner* interner, UserState* user) {
  const uint8_t version = in->U8();
  if (version < 1 || version > kUserVersion) return false;
  user->first_seen = in->I64();
  user->now = in->I64();
  user->looked = in->I64();
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t index = in->Varint();
    if (index >= program.series.size()) return false;
    if (!user->series.At(static_cast<uint32_t>(index)).Read(interner, program.series[index].field != kNone, in)) return false;
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t index = in->Varint();
    if (index >= program.totals.size()) return false;
    Total& total = user->totals.At(static_cast<uint32_t>(index));
    if (HoldsValue(program.totals[index].kind)) {
      total.value = ReadStored(in, interner).bits();
    } else {
      total.number = in->Double();
      total.low = in->Double();
    }
    total.time = in->I64();
  }
  if (!user->sessions.Read(in) || !user->seen.Read(in)) return false;
  const auto pairs = [&](auto add) {
    for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
      const uint64_t condition = in->Varint();
      if (condition >= program.conditions.size()) return false;
      add(static_cast<ConditionId>(condition), in->I64());
    }
    return in->ok();
  };
  if (!pairs([&](ConditionId c, Millis at) { user->members.At(c) = at; }) ||
      !pairs([&](ConditionId c, Millis at) { user->dues.At(c) = at; }) ||
      !pairs([&](ConditionId c, Millis at) { user->firings.push_back({c, at}); })) {
    return false;
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const Interner::Id name = interner->Acquire(in->String());
    const uint32_t record = version == 1 ? 0 : in->U32();
    user->recent.push_back({name, record, in->I64()});
  }
  const uint64_t traits = in->Varint();
  if (traits > 0) user->traits = std::make_unique<std::vector<Trait>>();
  for (uint64_t n = traits; n > 0 && in->ok(); --n) {
    Trait trait;
    trait.name = in->String();
    trait.time = in->I64();
    trait.json = in->String();
    user->traits->push_back(std::move(trait));
  }
  return in->done();
}

void ReleaseTexts(const Program& program, UserState* user, Interner* interner) {
  user->series.ForEach([&](uint32_t index, const Series& series) {
    if (program.series[index].field == kNone) return;
    for (size_t i = 0; i < series.size(); ++i) series.value(i).Release(interner);
  });
  user->totals.ForEach([&](uint32_t index, const Total& total) {
    if (HoldsValue(program.totals[index].kind)) Stored::FromBits(total.value).Release(interner);
  });
  for (const RecentEvent& event : user->recent) interner->Release(event.name);
}

}  // namespace attune
