#include "shard/merging.h"

#include <algorithm>
#include <mutex>

#include "base/bytes.h"
#include "base/check.h"
#include "state/keyspace.h"

namespace attune {
namespace {

struct Unmerge {
  Millis at;
  std::string_view id;
};

Unmerge ReadUnmerge(const RecordView& record) {
  ByteReader in(record.payload);
  const Millis at = in.I64();
  const std::string_view id = in.String();
  ATTUNE_CHECK(in.done(), "a durable record can be read");
  return {at, id};
}

}  // namespace

std::optional<Merging::Link> Merging::ReadLink(std::string_view bytes) {
  ByteReader in(bytes);
  Link link;
  link.undone = in.Bool();
  link.other = in.String();
  link.person = in.String();
  return in.done() ? std::optional(link) : std::nullopt;
}

void Merging::NoteLink(uint64_t sequence, const Link& link, std::initializer_list<Shard*> shards) {
  ByteWriter bytes;
  bytes.Bool(link.undone);
  bytes.String(link.other);
  bytes.String(link.person);
  for (Shard* shard : shards) shard->NoteLink(sequence, bytes.view());
  if (const auto unnamed = unversioned_links_.find(sequence); unnamed != unversioned_links_.end()) unnamed->second = bytes.view();
}

Status Merging::Restore(uint64_t sequence) {
  restored_ = sequence;
  bool whole = true;
  const Status read = store_.ForEach(keys::kLinks, [&](std::string_view name, std::string_view blob) {
    const uint64_t at = keys::ReadOrdered(name.substr(0, 8));
    auto link = ReadLink(blob);
    whole = link.has_value();
    if (!whole) return false;
    if (name.size() == 8) {  // version 4 did not name the plan
      unversioned_links_.emplace(at, at <= sequence ? std::string(blob) : "");
    } else if (!IsOf(keys::ReadOrdered(name.substr(8)), *program_->plan)) {
      foreign_links_.emplace_back(name);
      return true;
    }
    if (at > sequence) {
      recorded_.emplace(at, *std::move(link));
    } else if (link->undone) {
      identity_.Undo(link->other, at);
    } else {
      identity_.Merge(link->other, link->person, at);
    }
    return true;
  });
  if (!whole) return Error{ErrorCode::kCorrupt, "a stored merge cannot be read"};
  return read;
}

WriteBatch Merging::ForgetEnded() const {
  WriteBatch batch;
  // What cannot be read now is deleted after a later start.
  (void)store_.ForEach(keys::kEnded, [&](std::string_view name, std::string_view) {
    if (keys::ReadOrdered(name.substr(1)) <= restored_) batch.Delete(keys::kEnded, name);
    return true;
  });
  for (const auto& [at, link] : unversioned_links_) {
    batch.Delete(keys::kLinks, keys::Ordered(at));
    if (!link.empty()) batch.Put(keys::kLinks, keys::LinkName(at, program_->plan->fingerprint), link);
  }
  if (restored_ > 0) {
    for (const std::string& name : foreign_links_) batch.Delete(keys::kLinks, name);
  }
  return batch;
}

bool Merging::NeedsAll(const LoggedRecord& record) const {
  if (record.type == static_cast<uint8_t>(RecordType::kUndoMerge)) return identity_.IsMerged(ReadUnmerge(record).id);
  if (record.type != static_cast<uint8_t>(RecordType::kLinking)) return false;
  const EventHead& head = record.event().head;
  return identity_.MayMerge(PersonOf(head.anonymous_id), PersonOf(head.user));
}

std::string Merging::PersonOfEvent(const LoggedRecord& record) const { return std::string(PersonOf(record.event().head.user)); }

Merging::Met Merging::Apply(const LoggedRecord& record, const Shards& shards) {
  const std::unique_lock hold(mutex_);
  return record.type == static_cast<uint8_t>(RecordType::kUndoMerge) ? Undo(record, shards) : Merge(record, shards);
}

// A shard that is ahead has already decided whether to merge. Otherwise the states of both users decide.
bool Merging::MayMerge(const Record& record, Shard& into, Shard& from, const std::string& other) {
  if (into.Includes(record.sequence) || from.Includes(record.sequence)) return recorded_.contains(record.sequence);
  const UserState* user = into.engine().Find(record.user);
  if (user && into.engine().IsDuplicate(*user, record)) return false;
  const UserState* known = from.engine().Find(other);
  if (!known || !known->known) return true;
  identity_.NoteKnown(other);
  return false;
}

Merging::Met Merging::Merge(const LoggedRecord& record, const Shards& shards) {
  auto read = reader_.Read(record.event());
  ATTUNE_CHECK(read.ok(), "a durable event can be read");
  Record& merging = *read;
  merging.sequence = record.sequence;
  const std::string person(PersonOf(merging.user)), other(PersonOf(merging.anonymous_id));
  merging.user = person;
  Shard& into = *shards[ShardOf(person)];
  Shard& from = *shards[ShardOf(other)];
  Met met;
  if (!MayMerge(merging, into, from, other)) {
    met.shard = &into;
    met.person = person;
    return met;
  }
  identity_.Merge(other, person, record.sequence);
  NoteLink(record.sequence, {other, person, false}, {&into, &from});

  const bool left_already = from.Includes(record.sequence), merged_already = into.Includes(record.sequence);
  const UserState* gone = left_already ? nullptr : from.engine().Find(other);
  const IndexedUser leaving{from.number(), gone ? gone->slot : kNoSlot, other};
  if (merged_already) {  // by that shard, before the last stop
    if (gone) met.leaving = Leaving{&from, other, record.sequence, nullptr};
    return met;
  }
  std::string ended;
  if (left_already) {
    auto stored = Ended(from.number(), record.sequence);
    ATTUNE_CHECK(stored.ok(), "the store has the state of a user that another shard still needs");
    ended = std::move(stored).value();
  }
  if (!gone && ended.empty()) {  // the other user has no state
    met.shard = &into;
    met.person = person;
    return met;
  }
  PersonRebuild::Asked asked;
  asked.sequence = record.sequence;
  asked.person = person;
  asked.merging = record.payload;
  asked.other = leaving;
  const UserState* user = into.engine().Find(person);
  asked.own_records = user ? user->remembered_ids() : 0;
  std::unique_ptr<Engine> guest;
  if (!gone) {
    guest = std::make_unique<Engine>(program_);
    ATTUNE_CHECK(guest->Restore(other, ended).ok(), "the state of a user who ended can be read");
    gone = guest->Find(other);
  }
  asked.other_records = gone->remembered_ids();
  const uint32_t slot = into.engine().AdmitMerge(merging, *gone)->slot;
  into.NoteIncluded(slot, record.sequence, leaving);
  into.NoteHistory(slot, record.sequence);
  asked.history = {into.number(), slot, person};
  auto rebuild = std::make_shared<PersonRebuild>(std::move(asked), &into, this, program_);
  if (left_already) {
    rebuild->Give(std::move(ended));
  } else {
    met.leaving = Leaving{&from, other, record.sequence, rebuild};
  }
  met.rebuilds.push_back(std::move(rebuild));
  return met;
}

void Merging::Leave(const Leaving& leaving) {
  Shard& from = *leaving.from;
  UserState* user = from.engine().Find(leaving.id);
  ATTUNE_CHECK(user != nullptr, "a user exists until the record that ends it");
  // The store also keeps what another shard needs, in case that shard is behind this one at a stop.
  const bool keep = leaving.rebuild && &leaving.rebuild->shard() != &from;
  std::string state = from.EndUser(user, leaving.sequence, keep);
  // Within one shard, Finish sets the position: the user's end and the person's new state belong to one snapshot.
  if (!leaving.rebuild || keep) from.set_position(leaving.sequence);
  if (leaving.rebuild) leaving.rebuild->Give(std::move(state));
}

Merging::Met Merging::Undo(const RecordView& record, const Shards& shards) {
  const Unmerge unmerge = ReadUnmerge(record);
  const std::string other(unmerge.id), person(PersonOf(other));
  Met met;
  if (!identity_.IsMerged(other)) return met;
  identity_.Undo(other, record.sequence);
  Shard& owner = *shards[ShardOf(person)];
  const UserState* user = owner.engine().Find(person);
  const IndexedUser history{owner.number(), user ? user->slot : kNoSlot, person};
  for (const auto& [id, second] : {std::pair(&person, false), std::pair(&other, true)}) {
    Shard& shard = *shards[ShardOf(*id)];
    NoteLink(record.sequence, {other, person, true}, {&shard});
    if (shard.Includes(record.sequence)) continue;
    PersonRebuild::Asked asked;
    asked.sequence = record.sequence;
    asked.person = *id;
    asked.history = history;
    asked.parted_at = unmerge.at;
    asked.second = second;
    met.rebuilds.push_back(std::make_shared<PersonRebuild>(std::move(asked), &shard, this, program_));
  }
  return met;
}

Result<std::string> Merging::Ended(uint8_t shard, uint64_t sequence) const {
  auto blob = store_.Get(keys::kEnded, keys::EndedName(shard, sequence));
  if (!blob.ok()) return blob.error();
  return std::move(*blob).value_or("");
}

// --- rebuilding ---

PersonRebuild::PersonRebuild(Asked asked, Shard* shard, const Merging* merging, std::shared_ptr<const Program> program)
    : asked_(std::move(asked)), shard_(*shard), merging_(*merging), program_(program), reader_(std::move(program)) {
  if (parts()) {
    given_ = true;
  } else {
    way_ = asked_.other_records <= asked_.own_records ? Way::kOther : Way::kOwn;
  }
}

void PersonRebuild::Give(std::string ended) {
  ended_ = std::move(ended);
  given_.store(true, std::memory_order_release);
}

Status PersonRebuild::Load(const Store& store, const Shards& shards, ReadableLog* log) {
  records_.clear();
  past_.clear();
  next_ = 0;
  std::vector<uint64_t> sequences;
  if (needs_log()) {
    const auto index_of = [&](uint8_t shard) { return shard < kShards ? &shards[shard]->history() : nullptr; };
    auto collected = HistoryIndex::Collect(store, index_of, way_ == Way::kOther ? asked_.other : asked_.history,
                                           way_ == Way::kOwn ? &asked_.other : nullptr);
    if (!collected.ok()) return collected.error();
    sequences = std::move(collected).value();
    std::erase_if(sequences, [&](uint64_t sequence) { return sequence >= asked_.sequence; });
  }
  auto read = log->Read(sequences);
  if (!read.ok()) return read.error();
  // Which records count: for a merge, those that led to the person just before it; for a parting, those that lead to it
  // from then on.
  const std::string& whose = way_ == Way::kOther ? asked_.other.id : asked_.person;
  const uint64_t as_of = way_ == Way::kBoth ? asked_.sequence : asked_.sequence - 1;
  struct Place {
    Millis time;
    uint64_t sequence;
    size_t record;
  };
  std::vector<Place> order;
  for (size_t i = 0; i < read->size(); ++i) {
    auto& found = (*read)[i];
    if (!found) continue;  // the log has trimmed it, or it was damaged
    const auto event = DecodeEvent(found->payload);
    if (!event.ok() || !merging_.LedTo(event->head.user, whose, as_of)) continue;
    order.push_back({event->head.time, sequences[i], records_.size()});
    records_.push_back(std::move(*found));
  }
  if (!parts()) {
    order.push_back({DecodeEvent(asked_.merging)->head.time, asked_.sequence, records_.size()});
    records_.push_back({0, 0, asked_.merging});
  }
  std::stable_sort(order.begin(), order.end(), [](const Place& a, const Place& b) { return a.time < b.time; });
  for (const Place& place : order) past_.push_back({place.sequence, records_[place.record].payload});
  return {};
}

bool PersonRebuild::Step(size_t records) {
  if (way_ != Way::kBoth) return true;
  Engine& engine = shard_.engine();
  if (!draft_) draft_ = engine.BeginDraft(asked_.person, parts());
  for (; records > 0 && next_ < past_.size(); --records) engine.AddTo(&*draft_, past_[next_++], &reader_);
  return next_ == past_.size();
}

std::optional<Shard::Outcome> PersonRebuild::Finish(Effects* effects) {
  Engine& engine = shard_.engine();
  if (!parts()) {
    if (!MergeInto(effects)) {
      way_ = Way::kBoth;
      return std::nullopt;
    }
    shard_.set_position(asked_.sequence);
    return Shard::Outcome{Applied::kNew, true};
  }
  shard_.set_position(asked_.sequence);
  Engine::Draft draft = *std::exchange(draft_, std::nullopt);
  if (past_.empty()) return engine.Discard(std::move(draft)), Shard::Outcome();
  const uint32_t slot = engine.Rebuild(asked_.person, asked_.parted_at, std::move(draft), effects)->slot;
  // Some were noted for the person that the ids were merged into.
  for (const Engine::PastRecord& past : past_) shard_.NoteHistory(slot, past.sequence);
  return Shard::Outcome();
}

bool PersonRebuild::MergeInto(Effects* effects) {
  Engine& engine = shard_.engine();
  guest_ = std::make_unique<Engine>(program_);
  ATTUNE_CHECK(guest_->Restore(asked_.other.id, ended_).ok(), "the state of a user who ended can be read");
  UserState* from = guest_->Find(asked_.other.id);
  RecordReader merging_reader(program_);
  auto merging = merging_reader.Read(asked_.merging);
  ATTUNE_CHECK(merging.ok(), "a durable event can be read");
  merging->sequence = asked_.sequence;
  merging->user = asked_.person;
  if (way_ == Way::kOther) return engine.Absorb(*merging, past_, guest_.get(), from, &reader_, effects);
  if (way_ == Way::kOwn) {
    auto adopted = engine.AdoptDraft(asked_.person, ended_);
    ATTUNE_CHECK(adopted.ok(), "the state of a user who ended can be read");
    draft_ = std::move(adopted).value();
    for (const Engine::PastRecord& past : past_) {
      if (engine.AddTo(&*draft_, past, &reader_)) continue;
      engine.Discard(*std::exchange(draft_, std::nullopt));
      return false;
    }
  }
  engine.Merge(*merging, guest_.get(), from, *std::exchange(draft_, std::nullopt), effects);
  return true;
}

}  // namespace attune
