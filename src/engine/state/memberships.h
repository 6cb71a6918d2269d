// What `in_segment(…) for`, `entered` and `left` remember of one user: when the segments that they name changed, and the
// user's events, from which a late event corrects those changes.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "engine/program/program.h"
#include "engine/series/fact.h"
#include "engine/series/stored.h"

namespace attune {

// An event as conditions saw it: which selectors it matched (bits, by their place among those of its name), then the values
// of the fields of its name.
struct PastEvent {
  Millis time = 0;
  NameId name = kOtherName;
  std::unique_ptr<uint64_t[]> words;
};

class Memberships {
 public:
  explicit Memberships(const Program& program) : program_(program), changes_(program.tracked.size()) {}

  // The instants at which a tracked segment was entered and left, by turns; entered first. What came and went within one
  // millisecond is none.
  std::span<const Millis> changes(size_t tracked) const { return changes_[tracked]; }
  // Events or changes were dropped because of the plan's limit.
  bool truncated() const { return truncated_; }
  const std::vector<PastEvent>& events() const { return events_; }  // by time, then as they came
  const std::vector<Fact>& facts() const { return facts_; }         // the same

  // At `at` the segment is held or not; no change is known later than that.
  void Note(size_t tracked, Millis at, bool held);
  // Forgets all changes at `from` and later.
  void ForgetChanges(Millis from);
  void TakeChangesOf(Memberships* other) {
    changes_.swap(other->changes_);
    truncated_ |= other->truncated_;
  }
  // Some changes may be missing.
  void set_truncated() { truncated_ = true; }

  // Takes in an event at its place; `now` is the user's clock. Its texts become these.
  void Add(PastEvent event, Millis now, Interner* interner);
  void Add(Fact fact);

  size_t WordsOf(NameId name) const { return MaskWords(name) + program_.fields_of_name[name].size(); }
  size_t MaskWords(NameId name) const { return (program_.selectors_of_name[name].size() + 63) / 64; }

  // Gives back the texts of events: all are about to go.
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
