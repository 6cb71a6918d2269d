#include "shard/merging.h"

#include <algorithm>
#include <mutex>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "shard/record_type.h"
#include "shard/shard_of.h"
#include "state/keyspace.h"

namespace attune {

Status Merging::Restore(uint64_t sequence) {
  restored_ = sequence;
  bool whole = true;
  const Status read = store_.ForEach(keys::kLinks, [&](std::string_view name, std::string_view blob) {
    const uint64_t at = keys::ReadOrdered(name);
    ByteReader in(blob);
    Link link;
    link.undone = in.Bool();
    link.other = in.String();
    link.person = in.String();
    whole = in.done();
    if (!whole) return false;
    if (at > sequence) {
      recorded_.emplace(at, std::move(link));
    } else if (link.undone) {
      identity_.Undo(link.other);
    } else {
      identity_.Merge(link.other, link.person);
    }
    return true;
  });
  if (!whole) return Error{ErrorCode::kCorrupt, "what was merged cannot be read"};
  return read;
}

WriteBatch Merging::ForgetEnded() const {
  WriteBatch batch;
  // What cannot be read now is forgotten by a later start.
  (void)store_.ForEach(keys::kEnded, [&](std::string_view name, std::string_view) {
    if (keys::ReadOrdered(name.substr(1)) <= restored_) batch.Delete(keys::kEnded, name);
    return true;
  });
  return batch;
}

bool Merging::NeedsAll(const RecordView& record) const {
  if (record.type == static_cast<uint8_t>(RecordType::kUndoMerge)) return true;
  if (record.type != static_cast<uint8_t>(RecordType::kLinking)) return false;
  const auto event = DecodeEvent(record.payload);
  return event.ok() && identity_.MayMerge(PersonOf(event->head.anonymous_id), PersonOf(event->head.user));
}

std::string Merging::PersonOfEvent(const RecordView& record) const {
  const auto event = DecodeEvent(record.payload);
  ATTUNE_CHECK(event.ok(), "a durable event can be read");
  return std::string(PersonOf(event->head.user));
}

Shard::Outcome Merging::Apply(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects) {
  const std::unique_lock hold(mutex_);
  const bool undo = record.type == static_cast<uint8_t>(RecordType::kUndoMerge);
  return undo ? Undo(record, shards, shard, effects) : Merge(record, shards, shard, effects);
}

// What a shard that is ahead did is what is done now, too; else what both know of the two decides.
bool Merging::MayMerge(const Record& record, Shard& into, Shard& from, const std::string& other) const {
  if (into.Includes(record.sequence) || from.Includes(record.sequence)) return recorded_.contains(record.sequence);
  const UserState* user = into.engine().Find(record.user);
  if (user && into.engine().IsDuplicate(*user, record)) return false;
  const UserState* known = from.engine().Find(other);
  return !(known && known->known);
}

Shard::Outcome Merging::Merge(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects) {
  auto read = reader_.Read(record.payload);
  ATTUNE_CHECK(read.ok(), "a durable event can be read");
  Record& merging = *read;
  merging.sequence = record.sequence;
  const std::string person(PersonOf(merging.user)), other(PersonOf(merging.anonymous_id));
  merging.user = person;
  Shard& into = *shards[ShardOf(person)];
  Shard& from = *shards[ShardOf(other)];
  *shard = &into;
  if (!MayMerge(merging, into, from, other)) {
    into.ForgetLink(record.sequence);  // of another plan, under which it was no duplicate
    return into.Apply(record, person, effects);
  }
  identity_.Merge(other, person);
  into.NoteLink(record.sequence, other, person, false);
  from.NoteLink(record.sequence, other, person, false);

  // Her state as it was before this record, wherever it lies.
  ended_.reset();
  Engine* others = &from.engine();
  if (from.Includes(record.sequence) && !into.Includes(record.sequence)) {
    auto ended = Ended(from.number(), record.sequence, other);
    ATTUNE_CHECK(ended.ok(), "what the store kept of a user whose history another shard still needs can be read");
    ended_ = std::move(ended).value();
    if (ended_) others = ended_.get();
  }
  UserState* gone = from.Includes(record.sequence) && !ended_ ? nullptr : others->Find(other);
  const uint32_t slot = gone && !ended_ ? gone->slot : kNoSlot;
  auto theirs = from.HistoryOf(store_, other, slot);
  ATTUNE_CHECK(theirs.ok(), "the index of a history can be read");
  if (gone && !ended_) from.KeepEnded(gone, record.sequence);
  if (into.Includes(record.sequence)) {  // that shard merged them before the last stop
    if (gone) others->End(gone, merging.time, nullptr);
    from.set_position(record.sequence);
    return {};
  }
  if (!gone) return into.Apply(record, person, effects);

  const UserState* user = into.engine().Find(person);
  auto own = into.HistoryOf(store_, person, user ? user->slot : kNoSlot);
  ATTUNE_CHECK(own.ok(), "the index of a history can be read");
  std::vector<uint64_t> sequences = std::move(own).value();
  sequences.insert(sequences.end(), theirs->begin(), theirs->end());
  std::erase_if(sequences, [&](uint64_t sequence) { return sequence > record.sequence; });
  sequences.push_back(record.sequence);
  const History history = Read(std::move(sequences), person);
  const Applied applied = into.engine().Merge(merging, others, gone, history.past, &history_reader_, effects);
  const uint32_t into_slot = into.engine().Find(person)->slot;
  for (const Engine::PastRecord& past : history.past) into.NoteHistory(into_slot, past.sequence);
  into.set_position(record.sequence);
  from.set_position(record.sequence);
  return {applied, true};
}

Shard::Outcome Merging::Undo(const RecordView& record, const Shards& shards, Shard** shard, Effects* effects) {
  ByteReader in(record.payload);
  const Millis at = in.I64();
  const std::string other(in.String());
  ATTUNE_CHECK(in.done(), "a durable record can be read");
  const std::string person(PersonOf(other));
  Shard& into = *shards[ShardOf(person)];
  Shard& from = *shards[ShardOf(other)];
  *shard = &into;
  if (!identity_.IsMerged(other)) return {};
  identity_.Undo(other);
  into.NoteLink(record.sequence, other, person, true);
  from.NoteLink(record.sequence, other, person, true);
  const UserState* user = into.engine().Find(person);
  auto sequences = into.HistoryOf(store_, person, user ? user->slot : kNoSlot);
  ATTUNE_CHECK(sequences.ok(), "the index of a history can be read");
  std::erase_if(*sequences, [&](uint64_t sequence) { return sequence > record.sequence; });
  for (const auto& [shard_of, id] : {std::pair(&into, &person), std::pair(&from, &other)}) {
    // Both may live in one shard, whose position then is moved by neither.
    if (shard_of->Includes(record.sequence)) continue;
    const History history = Read(*sequences, *id);
    if (history.past.empty()) continue;
    Engine& engine = shard_of->engine();
    if (UserState* known = engine.Find(*id)) engine.AdvanceUser(known, at - 1, effects);
    Effects rebuilt;
    const uint32_t slot = engine.Rebuild(*id, at, history.past, &history_reader_, &rebuilt)->slot;
    // Memberships change; but nothing happened now that a trigger should tell.
    effects->transitions.insert(effects->transitions.end(), rebuilt.transitions.begin(), rebuilt.transitions.end());
    for (const Engine::PastRecord& past : history.past) shard_of->NoteHistory(slot, past.sequence);
  }
  into.set_position(record.sequence);
  from.set_position(record.sequence);
  return {};
}

Result<std::unique_ptr<Engine>> Merging::Ended(uint8_t shard, uint64_t sequence, std::string_view id) const {
  const auto blob = store_.Get(keys::kEnded, keys::EndedName(shard, sequence));
  if (!blob.ok()) return blob.error();
  if (!*blob) return std::unique_ptr<Engine>();
  auto engine = std::make_unique<Engine>(program_);
  if (Status status = engine->Restore(id, **blob); !status.ok()) return status.error();
  return engine;
}

Merging::History Merging::Read(std::vector<uint64_t> sequences, std::string_view person) {
  std::sort(sequences.begin(), sequences.end());
  sequences.erase(std::unique(sequences.begin(), sequences.end()), sequences.end());
  auto read = log_.Read(sequences);
  // Without some of its records the history would be wrong for ever; the next start comes to this record again.
  ATTUNE_CHECK(read.ok(), "records that are merged can be read back from the log; attune verify names those that cannot");
  auto found = std::move(read).value();
  History history;
  struct Place {
    Millis time;
    uint64_t sequence;
    size_t record;
  };
  std::vector<Place> order;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) continue;  // the log forgot it, or it fell into a hole
    const auto event = DecodeEvent(found[i]->payload);
    if (!event.ok() || PersonOf(event->head.user) != person) continue;
    order.push_back({event->head.time, sequences[i], history.records.size()});
    history.records.push_back(std::move(*found[i]));
  }
  std::sort(order.begin(), order.end(),
            [](const Place& a, const Place& b) { return std::tie(a.time, a.sequence) < std::tie(b.time, b.sequence); });
  for (const Place& place : order) history.past.push_back({place.sequence, history.records[place.record].payload});
  return history;
}

}  // namespace attune
