#include "shard/history_index.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <tuple>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// The common prefix of the names of all pieces of one user's index. No id's prefix is a prefix of another's.
std::string NamesOf(uint8_t shard, std::string_view id) {
  ByteWriter name;
  name.U8(shard);
  name.String(id);
  return name.Take();
}

}  // namespace

void HistoryIndex::Note(uint32_t slot, uint64_t sequence) {
  const std::lock_guard hold(mutex_);
  notes_.push_back({slot, sequence});
}

void HistoryIndex::NoteIncluded(uint32_t slot, uint64_t sequence, IndexedUser other) {
  const std::lock_guard hold(mutex_);
  other.since = sequence;
  inclusions_.push_back({slot, sequence, std::move(other)});
}

void HistoryIndex::SetStored() {
  const std::lock_guard hold(mutex_);
  stored_ = Stored::kYes;
}

void HistoryIndex::NoteEnded(uint32_t slot, std::string_view id) {
  const std::lock_guard hold(mutex_);
  ended_.push_back({slot, std::string(id)});
}

void HistoryIndex::WriteTo(const std::function<std::string_view(uint32_t slot)>& id_of, uint64_t position, WriteBatch* batch) {
  const std::lock_guard hold(mutex_);
  notes_.erase(notes_.begin(), notes_.begin() + static_cast<std::ptrdiff_t>(written_));
  inclusions_.erase(inclusions_.begin(), inclusions_.begin() + static_cast<std::ptrdiff_t>(inclusions_written_));
  ended_.erase(ended_.begin(), ended_.begin() + static_cast<std::ptrdiff_t>(ended_written_));
  stored_ = stored_ == Stored::kNothing ? Stored::kInLastBatch : Stored::kYes;
  written_ = notes_.size();
  inclusions_written_ = inclusions_.size();
  ended_written_ = ended_.size();
  by_slot_.clear();
  ended_slots_.clear();
  indexed_ = inclusions_indexed_ = ended_indexed_ = 0;
  absl::flat_hash_set<uint32_t> ended;
  for (const Ended& user : ended_) ended.insert(user.slot);
  // Pieces must not overwrite each other: a record may be noted again by a later snapshot, or for the next user with
  // the id.
  const auto name = [&](uint32_t slot, uint64_t sequence) {
    std::string name = NamesOf(shard_, id_of(slot)) + keys::Ordered(sequence) + keys::Ordered(position);
    return ended.contains(slot) ? name + keys::Ordered(slot) : name;
  };
  std::vector<Entry> sorted = notes_;
  std::sort(sorted.begin(), sorted.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.slot, a.sequence) < std::pair(b.slot, b.sequence); });
  ByteWriter piece;
  for (size_t i = 0; i < sorted.size();) {
    const Entry& first = sorted[i];
    piece.Clear();
    uint64_t before = 0;
    for (; i < sorted.size() && sorted[i].slot == first.slot; ++i) {
      piece.Varint(sorted[i].sequence - before);
      before = sorted[i].sequence;
    }
    batch->Put(keys::kHistory, name(first.slot, first.sequence), piece.view());
  }
  for (const Inclusion& inclusion : inclusions_) {
    piece.Clear();
    piece.Varint(0);  // no record has sequence 0
    piece.U8(inclusion.other.shard);
    piece.String(inclusion.other.id);
    // A name of its own, next to the piece that begins with the same record.
    batch->Put(keys::kHistory, name(inclusion.slot, inclusion.sequence) + 'i', piece.view());
  }
}

void HistoryIndex::ReadUnsaved(uint32_t slot, std::string_view id, std::vector<uint64_t>* sequences,
                               std::vector<IndexedUser>* included) const {
  const std::lock_guard hold(mutex_);
  for (; indexed_ < notes_.size(); ++indexed_) by_slot_[notes_[indexed_].slot].sequences.push_back(notes_[indexed_].sequence);
  for (; inclusions_indexed_ < inclusions_.size(); ++inclusions_indexed_) {
    by_slot_[inclusions_[inclusions_indexed_].slot].inclusions.push_back(inclusions_indexed_);
  }
  for (; ended_indexed_ < ended_.size(); ++ended_indexed_) {
    ended_slots_[ended_[ended_indexed_].id].push_back(ended_[ended_indexed_].slot);
  }
  const auto take = [&](uint32_t taken) {
    const auto found = by_slot_.find(taken);
    if (found == by_slot_.end()) return;
    sequences->insert(sequences->end(), found->second.sequences.begin(), found->second.sequences.end());
    for (const size_t i : found->second.inclusions) included->push_back(inclusions_[i].other);
  };
  if (slot != kNoSlot) take(slot);
  const auto ended = ended_slots_.find(id);
  if (ended == ended_slots_.end()) return;
  for (const uint32_t before : ended->second) {
    if (before != slot) take(before);
  }
}

Status HistoryIndex::ReadSaved(const Store& store, std::string_view id, std::vector<uint64_t>* sequences,
                               std::vector<IndexedUser>* included) const {
  {
    const std::lock_guard hold(mutex_);
    if (stored_ != Stored::kYes) return {};
  }
  return ReadSaved(store, shard_, id, sequences, included);
}

Status HistoryIndex::ReadSaved(const Store& store, uint8_t shard, std::string_view id, std::vector<uint64_t>* sequences,
                               std::vector<IndexedUser>* included) {
  const std::string names = NamesOf(shard, id);
  bool whole = true;
  const Status read = store.ForEach(
      keys::kHistory,
      [&](std::string_view name, std::string_view piece) {
        if (!name.starts_with(names)) return false;
        ByteReader in(piece);
        uint64_t sequence = in.Varint();
        if (sequence == 0) {
          const uint8_t of = in.U8();
          included->push_back({of, kNoSlot, std::string(in.String())});
          whole = in.done();
          return whole;
        }
        while (true) {
          whole = in.ok();
          sequences->push_back(sequence);
          if (!whole || in.remaining() == 0) return whole;
          sequence += in.Varint();
        }
      },
      names);
  if (!read.ok()) return read.error();
  if (!whole) return Error{ErrorCode::kCorrupt, "the index of a user's history cannot be read"};
  return {};
}

Result<std::vector<uint64_t>> HistoryIndex::Collect(const Store& store,
                                                    const std::function<const HistoryIndex*(uint8_t shard)>& index_of,
                                                    IndexedUser user, const IndexedUser* but,
                                                    const std::function<uint64_t(uint8_t shard)>& up_to) {
  std::vector<uint64_t> sequences;
  std::vector<IndexedUser> left = {std::move(user)};
  absl::flat_hash_set<std::pair<uint8_t, std::string>> read;                     // from the store
  absl::flat_hash_set<std::tuple<uint8_t, uint32_t, std::string>> read_unsaved;  // from memory
  while (!left.empty()) {
    const IndexedUser next = std::move(left.back());
    left.pop_back();
    const HistoryIndex* index = index_of ? index_of(next.shard) : nullptr;
    const size_t before = sequences.size(), left_before = left.size();
    if (but && next.shard == but->shard && next.id == but->id) continue;
    if (index && read_unsaved.emplace(next.shard, next.slot, next.id).second) index->ReadUnsaved(next.slot, next.id, &sequences, &left);
    if (read.emplace(next.shard, next.id).second) {
      const Status status = index ? index->ReadSaved(store, next.id, &sequences, &left) : ReadSaved(store, next.shard, next.id, &sequences, &left);
      if (!status.ok()) return status.error();
    }
    if (!up_to) continue;
    const uint64_t last = up_to(next.shard);
    sequences.erase(std::remove_if(sequences.begin() + static_cast<std::ptrdiff_t>(before), sequences.end(),
                                   [&](uint64_t sequence) { return sequence > last; }),
                    sequences.end());
    left.erase(std::remove_if(left.begin() + static_cast<std::ptrdiff_t>(left_before), left.end(),
                              [&](const IndexedUser& included) { return included.since > last; }),
               left.end());
  }
  std::sort(sequences.begin(), sequences.end());
  sequences.erase(std::unique(sequences.begin(), sequences.end()), sequences.end());
  return sequences;
}

}  // namespace attune
