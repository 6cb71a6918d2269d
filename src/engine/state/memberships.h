// The state of one user for `in_segment(…) for`, `entered` and `left`: when the named segments changed, and the user's
// events, from which a late event corrects those changes.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "engine/program/program.h"
#include "engine/series/fact.h"
#include "engine/series/stored.h"

namespace attune {

// An event as conditions read it: the selectors that it matched (bits, by their index among those of its name), then
// the values of the fields of its name.
struct PastEvent {
  Millis time = 0;
  NameId name = kOtherName;
  std::unique_ptr<uint64_t[]> words;
};

class Memberships {
 public:
  explicit Memberships(const Program& program) : program_(program), changes_(program.tracked.size()) {}

  // The instants at which a tracked segment was entered and left, alternating; entered first. A stay that begins and
  // ends within one millisecond is not listed.
  std::span<const Millis> changes(size_t tracked) const { return changes_[tracked]; }
  // Events or changes were dropped because of the plan's limit.
  bool truncated() const { return truncated_; }
  const std::vector<PastEvent>& events() const { return events_; }  // by time, then by arrival
  const std::vector<Fact>& facts() const { return facts_; }         // the same

  // Records whether the user is in the segment at `at`. No later change may be known.
  void Note(size_t tracked, Millis at, bool held);
  // Drops all changes at or after `from`.
  void ForgetChanges(Millis from);
  void TakeChangesOf(Memberships* other) {
    changes_.swap(other->changes_);
    truncated_ |= other->truncated_;
  }
  // Some changes may be missing.
  void set_truncated() { truncated_ = true; }

  // Adds an event at its place; `now` is the user's clock. Takes ownership of the uses of its texts.
  void Add(PastEvent event, Millis now, Interner* interner);
  void Add(Fact fact);

  size_t WordsOf(NameId name) const { return MaskWords(name) + program_.fields_of_name[name].size(); }
  size_t MaskWords(NameId name) const { return (program_.selectors_of_name[name].size() + 63) / 64; }

  // Releases the texts of all events, before they are destroyed.
  void ReleaseTexts(Interner* interner) { Drop(events_.size(), interner); }
  size_t MemoryBytes() const;
  void Write(const Interner& interner, ByteWriter* out) const;
  bool Read(ByteReader* in, Interner* interner);

 private:
  void Drop(size_t events, Interner* interner);

  const Program& program_;
  std::vector<std::vector<Millis>> changes_;  // by the program's number of the tracked segment
  std::vector<PastEvent> events_;
  std::vector<Fact> facts_;
  bool truncated_ = false;
};

}  // namespace attune
