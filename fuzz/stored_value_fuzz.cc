// Values of the store with damage that its checksums do not detect. The first byte selects the reader. Each reader
// refuses the bytes or reads a value that it can write again.
#include <unistd.h>

#include <filesystem>

#include "base/check.h"
#include "dead_letter/dead_letters.h"
#include "effects/effect_group.h"
#include "effects/outbox_marks.h"
#include "engine/series/fact.h"
#include "event/json_text.h"
#include "shard/history_index.h"
#include "shard/size_history.h"
#include "state/keyspace.h"

namespace attune {
namespace {

// One for the life of the process. Each input removes what it adds.
Store& TheStore() {
  static const struct Folder {
    std::string path = (std::filesystem::temp_directory_path() / ("attune-fuzz-" + std::to_string(getpid()))).string();
    ~Folder() { std::filesystem::remove_all(path); }
  } folder;
  static const std::unique_ptr<Store> store = [] {
    auto opened = Store::Open(folder.path);
    ATTUNE_CHECK(opened.ok(), "a new store can be opened");
    return std::move(*opened);
  }();
  return *store;
}

void Put(std::string_view prefix, std::string_view name, std::string_view blob) {
  WriteBatch batch;
  batch.Put(prefix, name, blob);
  ATTUNE_CHECK(TheStore().Write(batch).ok(), "a new store can be written");
}

void Remove(std::string_view prefix) {
  WriteBatch batch;
  (void)TheStore().ForEach(prefix, [&](std::string_view name, std::string_view) {
    batch.Delete(prefix, name);
    return true;
  });
  ATTUNE_CHECK(TheStore().Write(batch).ok(), "a new store can be written");
}

void ReadEffects(std::string_view bytes) {
  const auto group = EffectGroup::Parse({7, 1}, bytes);
  if (!group) return;
  std::vector<PublishedEffect> effects;
  group->Read({}, group->last(), &effects);
  ATTUNE_CHECK(effects.size() == group->size() && effects.front().id == group->first() && effects.back().id == group->last(),
               "a group has as many effects as it says");
  EffectGroupWriter writer;
  for (const PublishedEffect& effect : effects) {
    (void)effect.Json();
    ATTUNE_CHECK(writer.MayAdd(effect.id), "effects of a group can be written as a group");
    writer.Add(effect);
  }
  const EffectGroup again = writer.Take();
  std::vector<PublishedEffect> effects_again;
  again.Read({}, again.last(), &effects_again);
  ATTUNE_CHECK(effects_again.size() == effects.size(), "as many are read as were written");
  for (size_t i = 0; i < effects.size(); ++i) {
    const PublishedEffect &a = effects[i], &b = effects_again[i];
    // The line of a transition that an earlier version kept is not written again.
    if (a.detail.starts_with('{') && a.kind != EffectKind::kFiring) continue;
    ATTUNE_CHECK(a.id == b.id && a.kind == b.kind && a.at == b.at && a.corrected == b.corrected && a.name == b.name && a.user == b.user &&
                     a.detail == b.detail,
                 "an effect is read as it was written");
  }
}

void ReadFact(std::string_view bytes) {
  ByteReader in(bytes);
  Fact fact;
  if (!fact.Read(&in)) return;
  ByteWriter out;
  fact.Write(&out);
  ByteReader in_again(out.view());
  Fact again;
  ATTUNE_CHECK(again.Read(&in_again) && again.name == fact.name && again.json == fact.json && again.time == fact.time,
               "a fact that was written can be read");
}

void ReadHistory(std::string_view bytes) {
  ByteWriter name;
  name.U8(3);
  name.String("ann");
  Put(keys::kHistory, name.Take() + keys::Ordered(1), bytes);
  const auto sequences = HistoryIndex::Collect(TheStore(), nullptr, {3, kNoSlot, "ann"});
  if (sequences.ok()) ATTUNE_CHECK(std::is_sorted(sequences->begin(), sequences->end()), "sequences are in order");
  Remove(keys::kHistory);
}

void ReadSizes(std::string_view bytes) {
  static const LoadedPlan loaded = ParsePlan("segments: {a: {when: \"true\"}}");
  SizeHistory writer(*loaded.plan);
  WriteBatch batch;
  writer.Sample(1'772'359'200'000, {1}, &batch);
  ATTUNE_CHECK(TheStore().Write(batch).ok(), "a new store can be written");
  std::string name;
  (void)TheStore().ForEach(keys::kSegmentSizes, [&](std::string_view found, std::string_view) {
    name = found;
    return false;
  });
  // Another value at the same instant; and another instant.
  const size_t half = bytes.size() / 2;
  Put(keys::kSegmentSizes, name, bytes.substr(0, half));
  Put(keys::kSegmentSizes, name.substr(0, name.size() - 16) + std::string(bytes.substr(half)), "7");
  SizeHistory history(*loaded.plan);
  (void)history.Restore(TheStore());
  (void)history.Of(0);
  Remove(keys::kSegmentSizes);
}

void ReadMarks(std::string_view bytes) {
  Put(keys::kOutboxMarks, EffectKey({5, 0}), bytes);
  Put(keys::kOutboxMarks, bytes.substr(0, 12), bytes);
  OutboxMarks marks(1000, kDay);
  if (marks.Restore(TheStore()).ok() && marks.CountStored(TheStore()).ok()) {
    WriteBatch batch;
    marks.Count(3, {9, 2});
    marks.Trim(1'772'359'200'000, EffectId{5, 0}, &batch);
  }
  Remove(keys::kOutboxMarks);
}

// The record of a dead letter comes from the log; the letter that it repeats, from the store.
void ReadDeadLetter(std::string_view bytes) {
  DeadLetter letter;
  letter.source = "/v1/track";
  letter.message_id = "m";
  letter.errors = {{Reason::kInvalidField, "f", "d"}};
  letter.event = bytes;
  letter.event_is_json = !FindJsonFault(bytes, 32).has_value();
  const std::string payload = DeadLetterRecord(letter, 1'772'359'200'000);
  ATTUNE_CHECK(!FindJsonFault(payload, 64), "a dead letter's record is JSON");
  DeadLetters letters;
  letters.SetStore(&TheStore());
  for (uint64_t sequence : {11, 12}) {
    RecordView record;
    record.type = static_cast<uint8_t>(RecordType::kDeadLetter);
    record.sequence = sequence;
    record.payload = payload;
    letters.StoreRecord(record);
  }
  size_t count = 0;
  (void)TheStore().ForEach(keys::kDeadLetters, [&](std::string_view, std::string_view kept) {
    ATTUNE_CHECK(!FindJsonFault(kept, 64), "what is kept is JSON");
    const std::string name = LetterName(11);
    const KeptLetter read(name, kept);
    ATTUNE_CHECK(read.repeats == 1 && read.sequence == 12, "sent again it is counted");
    ATTUNE_CHECK(!FindJsonFault(read.ToJson(), 64), "and told as JSON");
    return ++count > 0;
  });
  ATTUNE_CHECK(count == 1, "and kept once");
  (void)KeptLetter("0", bytes).ToJson();
  if (const auto sequence = SequenceOfLetter(bytes)) {
    ATTUNE_CHECK(LetterName(*sequence) == bytes, "the name of a letter is made of its sequence");
  }
  Remove(keys::kDeadLetters);
  Remove(keys::kDeadLetterIds);
}

}  // namespace
}  // namespace attune

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace attune;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0: ReadEffects(bytes); break;
    case 1: ReadFact(bytes); break;
    case 2: ReadHistory(bytes); break;
    case 3: ReadSizes(bytes); break;
    case 4: ReadMarks(bytes); break;
    case 5: ReadDeadLetter(bytes); break;
  }
  return 0;
}
