#include "engine/state/user.h"

#include <algorithm>
#include <cstring>

#include "engine/state/keys.h"
#include "engine/state/user_format.h"

namespace attune {
namespace {

constexpr uint32_t kScannedIds = 64;    // up to this many ids are compared one by one
constexpr size_t kMostFacts = 2000;      // traits, consents …; beyond this, new names are ignored

constexpr uint32_t kLeastRoom = 12;     // words that a new block has beyond what is in use
constexpr uint32_t kSmall = 160;        // words of a small user's block

uint32_t MoreThan(uint64_t room) { return static_cast<uint32_t>(room + 1 + (room < 16 ? room / 4 : room / 2)); }
uint32_t WordsOf(size_t bytes) { return static_cast<uint32_t>((bytes + 7) / 8); }

}  // namespace

UserState::UserState(std::string_view id, uint32_t slot_number, const Program& program)
    : slot(slot_number), program_(program), block_(program.state.id + WordsOf(id.size()) + kLeastRoom), id_size_(static_cast<uint32_t>(id.size())) {
  block_.Take(program.state.id + WordsOf(id.size()));
  std::memset(block_.words(0), 0, block_.used() * sizeof(uint64_t));
  std::memcpy(block_.words(program.state.id), id.data(), id.size());
}

UserState::~UserState() = default;

UserState::Rare& UserState::MakeRare() {
  if (!rare_) rare_ = std::make_unique<Rare>();
  return *rare_;
}

KeyStates& UserState::MakeKeys(uint32_t index) {
  auto& keys = MakeRare().keys;
  keys.resize(program_.keys.size());
  if (!keys[index]) keys[index] = std::make_unique<KeyStates>(*program_.keys[index].within);
  return *keys[index];
}

// --- arrays ---

uint32_t UserState::IndexOf(Part part, uint32_t rank) const {
  for (uint32_t w = 0;; ++w) {
    uint64_t word = Bits(part)[w];
    const auto here = static_cast<uint32_t>(__builtin_popcountll(word));
    if (rank >= here) {
      rank -= here;
      continue;
    }
    for (; rank > 0; --rank) word &= word - 1;
    return w * 64 + static_cast<uint32_t>(__builtin_ctzll(word));
  }
}

uint64_t* UserState::Make(Part part, uint32_t index) {
  const uint32_t rank = Rank(part, index);
  if (!Has(part, index)) {
    if (parts_[part].size == parts_[part].room) GrowPart(part);
    uint64_t* items = Words(part);
    std::memmove(items + rank + 1, items + rank, (parts_[part].size - rank) * sizeof(uint64_t));
    items[rank] = 0;
    parts_[part].size += 1;
    *block_.words(program_.state.first[part] + index / 64) |= uint64_t{1} << index % 64;
  }
  return Words(part) + rank;
}

void UserState::Erase(Part part, uint32_t index) {
  if (!Has(part, index)) return;
  const uint32_t rank = Rank(part, index);
  uint64_t* items = Words(part);
  parts_[part].size -= 1;
  std::memmove(items + rank, items + rank + 1, (parts_[part].size - rank) * sizeof(uint64_t));
  *block_.words(program_.state.first[part] + index / 64) &= ~(uint64_t{1} << index % 64);
}

void UserState::GrowPart(Part part) {
  const uint32_t lanes = LanesOf(part);
  const uint32_t room = MoreThan(parts_[part].room);
  if (!block_.Has(uint64_t{room} * lanes)) return Repack(part, kNone, room);
  Move(&parts_[part], room, lanes);
}

void UserState::GrowSeries(uint32_t series) {
  const uint32_t lanes = Lanes(series);
  const uint32_t room = MoreThan(FindHead(series)->room);
  if (!block_.Has(uint64_t{room} * lanes)) return Repack(kParts, series, room);
  Move(FindHead(series), room, lanes);
}

// At the end of the used words, if there is room.
void UserState::Move(Array* array, uint32_t room, uint32_t lanes) {
  ATTUNE_CHECK(room <= Array::kMaxRoom, "the plan's limit is far below");
  const uint32_t at = block_.Take(room * lanes);
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    const uint64_t* from = block_.words(static_cast<uint32_t>(array->at + lane * array->room));
    std::memcpy(block_.words(at + lane * room), from, array->size * sizeof(uint64_t));
  }
  array->at = at;
  array->room = room;
}

void UserState::Repack(int growing_part, uint32_t growing_series, uint32_t growing_room) {
  // Most users are small and should stay small. A larger user gets more room, so that it moves less often.
  const bool small = block_.used() < kSmall;
  const auto roomy = [&](uint64_t size, bool growing) {
    if (growing) return growing_room;
    return static_cast<uint32_t>(small && size < 16 ? size + size / 8 : size + size / 2 + 1);
  };
  const uint32_t fixed = program_.state.id + WordsOf(id_size_);
  uint64_t words = fixed;
  for (int part = 0; part < kParts; ++part) words += roomy(parts_[part].size, part == growing_part) * uint64_t{LanesOf(part)};
  ForEach(kSeries, [&](uint32_t series, uint64_t head) {
    words += roomy(std::bit_cast<Array>(head).size, series == growing_series) * uint64_t{Lanes(series)};
  });
  words += small ? std::max<uint64_t>(words / 8, kLeastRoom) : words / 2;
  ATTUNE_CHECK(words <= Array::kMaxWords, "the plan's limits keep a user's state below half a gigabyte");
  Block old = std::exchange(block_, Block(static_cast<uint32_t>(words)));
  const auto move = [&](Array* array, uint32_t lanes, bool growing) {
    const uint32_t room = roomy(array->size, growing);
    ATTUNE_CHECK(room <= Array::kMaxRoom, "the plan's limit is far below");
    const uint32_t at = block_.Take(room * lanes);
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      std::memcpy(block_.words(at + lane * room), old.words(static_cast<uint32_t>(array->at + lane * array->room)), array->size * sizeof(uint64_t));
    }
    array->at = at;
    array->room = room;
  };
  std::memcpy(block_.words(block_.Take(fixed)), old.words(0), fixed * sizeof(uint64_t));
  for (int part = 0; part < kParts; ++part) move(&parts_[part], LanesOf(part), part == growing_part);
  Array* head = reinterpret_cast<Array*>(Words(kSeries));
  ForEach(kSeries, [&](uint32_t series, uint64_t) { move(head++, Lanes(series), series == growing_series); });
}

// --- series ---

void UserState::LimitSeries(uint32_t index, Series* series) const {
  const uint32_t limit = program_.SeriesLimit(index);
  if (series->size_ > limit) series->skipped_ = series->size_ - limit;
  series->size_ -= series->skipped_;
  series->times_ += series->skipped_;
  series->values_ += series->skipped_;
  if (Lanes(index) == 1) return;
  auto& known = const_cast<UserState*>(this)->MakeRare().long_series[index];
  if (!known) known = std::make_unique<LongSeries>();
  series->long_ = known.get();
}

void UserState::AddToSeries(uint32_t series, Millis time, Stored value) {
  Array* head = reinterpret_cast<Array*>(Make(kSeries, series));
  if (head->size == head->room) {
    GrowSeries(series);
    head = FindHead(series);
  }
  Millis* times = reinterpret_cast<Millis*>(block_.words(static_cast<uint32_t>(head->at)));
  const size_t size = head->size;
  size_t at = size;
  if (size > 0 && time < times[size - 1]) at = static_cast<size_t>(std::upper_bound(times, times + size, time) - times);
  std::memmove(times + at + 1, times + at, (size - at) * sizeof(Millis));
  times[at] = time;
  if (Lanes(series) == 2) {
    uint64_t* values = block_.words(static_cast<uint32_t>(head->at + head->room));
    std::memmove(values + at + 1, values + at, (size - at) * sizeof(uint64_t));
    values[at] = value.bits();
    if (value.is_number() && value.number() < 0) head->negative = 1;
    if (rare_ && at < size) {
      const auto known = rare_->long_series.find(series);
      if (known != rare_->long_series.end()) known->second->Insert(at, value);
    }
  }
  head->size = size + 1;
}

void UserState::DropFromSeries(uint32_t series, uint32_t n, Interner* interner) {
  Array* head = FindHead(series);
  const size_t left = head->size - n;
  if (rare_ && Lanes(series) == 2) {
    const auto known = rare_->long_series.find(series);
    if (known != rare_->long_series.end()) known->second->Drop(block_.words(static_cast<uint32_t>(head->at + head->room)), n);
  }
  for (uint32_t lane = 0; lane < Lanes(series); ++lane) {
    uint64_t* words = block_.words(static_cast<uint32_t>(head->at + lane * head->room));
    if (lane == 1) {
      for (uint32_t i = 0; i < n; ++i) Stored::FromBits(words[i]).Release(interner);
    }
    std::memmove(words, words + n, left * sizeof(uint64_t));
  }
  head->size = left;
}

// --- totals ---

uint64_t* UserState::MakeTotal(uint32_t slot, uint32_t words) {
  for (uint32_t i = words; i-- > 1;) Make(kTotals, slot + i);
  return Make(kTotals, slot);
}

// --- conditions ---

void UserState::SetDue(ConditionId c, Millis at) {
  if (at == kNever) return Erase(kDues, c);
  *Make(kDues, c) = static_cast<uint64_t>(at);
  next_due = std::min(next_due, at);
}

// --- message ids ---

bool UserState::HasSeen(uint64_t id, Millis time, Millis span) const {
  const size_t size = parts_[kIds].size;
  if (size > kScannedIds && !rare_->ids.contains(id)) return false;
  const uint64_t* ids = Words(kIds);
  const uint64_t* times = IdTimes();
  uint64_t found = 0;
  for (size_t i = 0; i < size; ++i) found |= ids[i] == id;  // without a branch, since most ids are new
  if (!found) return false;
  for (size_t i = 0; i < size; ++i) {
    if (ids[i] == id && std::abs(static_cast<Millis>(times[i]) - time) < span) return true;
  }
  return false;
}

void UserState::Remember(uint64_t id, Millis time, uint32_t limit) {
  if (parts_[kIds].size >= limit + limit / 8 + 8) {  // in batches: each drop moves all ids
    const auto n = static_cast<uint32_t>(parts_[kIds].size) - limit;
    for (uint64_t* lane : {Words(kIds), IdTimes()}) std::memmove(lane, lane + n, limit * sizeof(uint64_t));
    parts_[kIds].size = limit;
    if (rare_) rare_->ids.clear();
  }
  if (parts_[kIds].size == parts_[kIds].room) GrowPart(kIds);
  Words(kIds)[parts_[kIds].size] = id;
  IdTimes()[parts_[kIds].size] = static_cast<uint64_t>(time);
  parts_[kIds].size += 1;
  if (parts_[kIds].size <= kScannedIds) return;
  auto& index = MakeRare().ids;
  if (index.empty()) index.insert(Words(kIds), Words(kIds) + parts_[kIds].size);
  index.insert(id);
}

void UserState::RememberAll(const UserState& other, uint32_t limit) {
  for (size_t i = 0; i < other.parts_[kIds].size; ++i) {
    Remember(other.Words(kIds)[i], static_cast<Millis>(other.IdTimes()[i]), limit);
  }
}

void UserState::ForgetIds() {
  parts_[kIds].size = 0;
  if (rare_) rare_->ids.clear();
}

void UserState::AddRecent(uint64_t sequence) {
  if (parts_[kRecent].size == kRecentEvents) {
    uint64_t* sequences = Words(kRecent);
    if (sequence < sequences[0]) return;
    std::memmove(sequences, sequences + 1, (kRecentEvents - 1) * sizeof(uint64_t));
  } else {
    if (parts_[kRecent].size == parts_[kRecent].room) GrowPart(kRecent);
    parts_[kRecent].size += 1;
  }
  uint64_t* sequences = Words(kRecent);
  size_t place = parts_[kRecent].size - 1;
  for (; place > 0 && sequences[place - 1] > sequence; --place) sequences[place] = sequences[place - 1];
  sequences[place] = sequence;
}

// --- the end of one ---

void UserState::ReleaseTexts(Interner* interner) const {
  ForEach(kSeries, [&](uint32_t series, uint64_t) {
    if (Lanes(series) == 1) return;
    const Array* head = FindHead(series);
    const uint64_t* values = block_.words(static_cast<uint32_t>(head->at + head->room));
    for (size_t i = 0; i < head->size; ++i) Stored::FromBits(values[i]).Release(interner);
  });
  ForEach(kTotals, [&](uint32_t slot, uint64_t word) {
    if (program_.total_slot_holds_value[slot]) Stored::FromBits(word).Release(interner);
  });
  if (sequences()) rare_->sequences->ReleaseTexts(program_.sequences, interner);
  if (memberships()) rare_->memberships->ReleaseTexts(interner);
  if (!rare_) return;
  for (const auto& keys : rare_->keys) {
    if (keys) keys->ReleaseTexts(interner);
  }
}

void UserState::Swap(UserState* other) {
  std::swap(first_seen, other->first_seen);
  std::swap(now, other->now);
  std::swap(looked, other->looked);
  std::swap(armed, other->armed);
  std::swap(next_due, other->next_due);
  std::swap(known, other->known);
  std::swap(ended, other->ended);
  std::swap(dirty, other->dirty);
  std::swap(in_snapshot, other->in_snapshot);
  std::swap(sessions, other->sessions);
  std::swap(block_, other->block_);
  std::swap(parts_, other->parts_);
  std::swap(id_size_, other->id_size_);
  std::swap(rare_, other->rare_);
}

void UserState::End() {
  UserState empty(id(), slot, program_);
  empty.ended = true;
  empty.known = known;
  empty.dirty = dirty;
  empty.in_snapshot = in_snapshot;
  Swap(&empty);
}

Memberships& UserState::MakeMemberships() {
  auto& memberships = MakeRare().memberships;
  if (!memberships) memberships = std::make_unique<Memberships>(program_);
  return *memberships;
}

// --- facts ---

const Fact* UserState::FindFact(FactKind kind, std::string_view name) const {
  for (const Fact& fact : facts()) {
    if (fact.kind == kind && fact.name == name) return &fact;
  }
  return nullptr;
}

void UserState::TakeIn(const Fact& fact) {
  const Fact* known = FindFact(fact.kind, fact.name);
  if (!known) {
    if (facts().size() < kMostFacts) MakeRare().facts.push_back(fact);
  } else if (fact.time >= known->time) {
    rare_->facts[static_cast<size_t>(known - rare_->facts.data())] = fact;
  }
}

size_t UserState::MemoryBytes() const {
  size_t bytes = sizeof(UserState) + block_.size() * sizeof(uint64_t) + sessions.MemoryBytes();
  if (!rare_) return bytes;
  bytes += sizeof(Rare) + rare_->firings.capacity() * sizeof(Firing) + rare_->ids.capacity() * 9;
  for (const Fact& fact : rare_->facts) bytes += sizeof(Fact) + fact.name.capacity() + fact.json.capacity();
  if (rare_->memberships) bytes += rare_->memberships->MemoryBytes();
  for (const auto& [_, series] : rare_->long_series) bytes += series->MemoryBytes();
  if (rare_->sequences) bytes += rare_->sequences->MemoryBytes(program_.sequences);
  for (const auto& keys : rare_->keys) bytes += keys ? keys->MemoryBytes() : 0;
  return bytes;
}

// --- snapshots ---

void WriteUser(const UserState& user, const Interner& interner, ByteWriter* out) {
  const Program& program = user.program_;
  out->U8(kUserVersion);
  out->I64(user.first_seen);
  out->I64(user.now);
  out->I64(user.looked);
  out->Bool(user.known);
  out->Varint(user.parts_[UserState::kSeries].size);
  user.ForEach(UserState::kSeries, [&](uint32_t index, uint64_t) {
    const Array* head = user.FindHead(index);
    const uint64_t* times = user.block_.words(static_cast<uint32_t>(head->at));
    const uint64_t* values = times + head->room;
    out->Varint(index);
    out->Bool(head->truncated);
    out->Varint(head->size);
    Millis last = 0;
    for (size_t i = 0; i < head->size; ++i) {
      out->Zigzag(static_cast<Millis>(times[i]) - last);
      last = static_cast<Millis>(times[i]);
    }
    if (user.Lanes(index) == 1) return;
    for (size_t i = 0; i < head->size; ++i) WriteStored(Stored::FromBits(values[i]), interner, out);
  });
  out->Varint(user.parts_[UserState::kTotals].size);
  user.ForEach(UserState::kTotals, [&](uint32_t slot, uint64_t word) {
    out->Varint(slot);
    if (program.total_slot_holds_value[slot]) {
      WriteStored(Stored::FromBits(word), interner, out);
    } else {
      out->U64(word);
    }
  });
  user.sessions.Write(out);
  const auto ids = user.parts_[UserState::kIds].size;
  out->Varint(ids);
  for (size_t i = 0; i < ids; ++i) {
    out->U64(user.Words(UserState::kIds)[i]);
    out->U64(user.IdTimes()[i]);
  }
  const auto pair = [&](uint32_t c, uint64_t at) {
    out->Varint(c);
    out->U64(at);
  };
  for (const UserState::Part part : {UserState::kMembers, UserState::kDues}) {
    out->Varint(user.parts_[part].size);
    user.ForEach(part, pair);
  }
  const std::vector<Firing> none;
  const std::vector<Firing>& firings = user.rare_ ? user.rare_->firings : none;
  out->Varint(firings.size());
  for (const Firing& firing : firings) {
    pair(firing.condition, static_cast<uint64_t>(firing.at));
    out->U64(firing.key);
  }
  out->Varint(user.recent().size());
  for (const uint64_t sequence : user.recent()) out->U64(sequence);
  out->Varint(user.facts().size());
  for (const Fact& fact : user.facts()) fact.Write(out);
  out->Bool(user.memberships() != nullptr);
  if (user.memberships()) user.memberships()->Write(interner, out);
  out->Bool(user.sequences() != nullptr);
  if (user.sequences()) user.sequences()->Write(program.sequences, interner, out);
  for (uint32_t i = 0; i < program.keys.size(); ++i) {
    out->Bool(user.keys(i) != nullptr);
    if (user.keys(i)) user.keys(i)->Write(interner, out);
  }
}

bool ReadUser(ByteReader* in, Interner* interner, UserState* user) {
  const Program& program = user->program_;
  if (in->U8() != kUserVersion) return false;
  user->first_seen = in->I64();
  user->now = in->I64();
  user->looked = in->I64();
  user->known = in->Bool();
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t index = in->Varint();
    if (index >= program.series.size()) return false;
    const bool truncated = in->Bool();
    const uint64_t size = in->Varint();
    if (size > in->remaining() || size > Array::kMaxRoom / 2) return false;
    std::vector<Millis> instants(size);
    uint64_t last = 0;  // bytes that no series wrote may add up to any value
    for (Millis& instant : instants) instant = static_cast<Millis>(last += static_cast<uint64_t>(in->Zigzag()));
    const auto series = static_cast<uint32_t>(index);
    for (const Millis instant : instants) {
      user->AddToSeries(series, instant, user->Lanes(series) == 2 ? ReadStored(in, interner) : Stored());
      if (!in->ok()) return false;
    }
    if (truncated && size > 0) user->SetSeriesTruncated(series);
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t slot = in->Varint();
    if (slot >= program.total_slot_holds_value.size()) return false;
    uint64_t* word = user->Make(UserState::kTotals, static_cast<uint32_t>(slot));
    *word = program.total_slot_holds_value[slot] ? ReadStored(in, interner).bits() : in->U64();
  }
  if (!user->sessions.Read(in)) return false;
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t id = in->U64();
    user->Remember(id, in->I64(), Array::kMaxRoom / 2);
  }
  for (const UserState::Part part : {UserState::kMembers, UserState::kDues}) {
    for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
      const uint64_t condition = in->Varint();
      if (condition >= program.conditions.size()) return false;
      *user->Make(part, static_cast<uint32_t>(condition)) = in->U64();
    }
  }
  user->next_due = user->ForEachDue(kAlways, [](ConditionId) {});
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    const uint64_t condition = in->Varint();
    if (condition >= program.conditions.size()) return false;
    const Millis at = in->I64();
    user->MakeFirings().push_back({static_cast<ConditionId>(condition), at, in->U64()});
  }
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) user->AddRecent(in->U64());
  for (uint64_t n = in->Varint(); n > 0 && in->ok(); --n) {
    Fact fact;
    if (!fact.Read(in)) return false;
    user->MakeRare().facts.push_back(std::move(fact));
  }
  if (in->Bool() && !user->MakeMemberships().Read(in, interner)) return false;
  if (in->Bool() && !user->MakeSequences().Read(program.sequences, interner, in)) return false;
  for (uint32_t i = 0; i < program.keys.size(); ++i) {
    if (in->Bool() && !user->MakeKeys(i).Read(interner, in)) return false;
  }
  return in->done();
}

}  // namespace attune
