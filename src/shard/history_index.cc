#include "shard/history_index.h"

#include <algorithm>

#include "base/bytes.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// What the names of all pieces of one user's index begin with. No id's is the beginning of another's.
std::string NamesOf(uint8_t shard, std::string_view id) {
  ByteWriter name;
  name.U8(shard);
  name.String(id);
  return name.Take();
}

}  // namespace

void HistoryIndex::WriteTo(const std::function<std::string_view(uint32_t slot)>& id_of, WriteBatch* batch) {
  notes_.erase(notes_.begin(), notes_.begin() + static_cast<std::ptrdiff_t>(written_));
  written_ = notes_.size();
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
    batch->Put(keys::kHistory, NamesOf(shard_, id_of(first.slot)) + keys::Ordered(first.sequence), piece.view());
  }
}

Result<std::vector<uint64_t>> HistoryIndex::Of(const Store& store, std::string_view id, uint32_t slot) const {
  std::vector<uint64_t> sequences;
  const std::string names = NamesOf(shard_, id);
  bool whole = true;
  const Status read = store.ForEach(
      keys::kHistory,
      [&](std::string_view name, std::string_view piece) {
        if (!name.starts_with(names)) return false;
        ByteReader in(piece);
        for (uint64_t sequence = 0; whole && in.remaining() > 0;) {
          sequence += in.Varint();
          whole = in.ok();
          sequences.push_back(sequence);
        }
        return whole;
      },
      names);
  if (!read.ok()) return read.error();
  if (!whole) return Error{ErrorCode::kCorrupt, "the index of a user's history cannot be read"};
  for (const Entry& note : notes_) {
    if (note.slot == slot) sequences.push_back(note.sequence);
  }
  std::sort(sequences.begin(), sequences.end());
  sequences.erase(std::unique(sequences.begin(), sequences.end()), sequences.end());
  return sequences;
}

}  // namespace attune
