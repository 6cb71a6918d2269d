// The runs of all sequences of one user: the latest start and end for each step that some run has reached, and with
// `by` the same for each key. The size depends on the steps reached, not on the number of open matches.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "engine/sequence/sequence.h"
#include "engine/series/stored.h"

namespace attune {

// The runs of one sequence for each key, in the order in which the keys first came. Holds no uses of the keys' texts.
class KeyedRuns {
 public:
  KeyedRuns(uint32_t sequence, uint32_t steps) : sequence_(sequence), steps_(steps) {}

  uint32_t sequence() const { return sequence_; }
  size_t size() const { return keys_.size(); }
  Stored key(size_t i) const { return Stored::FromBits(keys_[i]); }
  const Run* runs(size_t i) const { return runs_.data() + i * steps_; }
  // The runs of a key, one for each step; null if there are none. Valid until the next Add or Forget.
  Run* Find(Stored key);
  const Run* Find(Stored key) const { return const_cast<KeyedRuns*>(this)->Find(key); }
  // Requires that the key is absent.
  Run* Add(Stored key);
  // Whether there are so many keys that Forget should be called.
  bool full(size_t limit) const { return keys_.size() > limit + limit / 8 || keys_.size() >= forget_at_; }
  // Drops the keys whose latest first step is not after `horizon`, then those with the oldest first steps beyond
  // `limit`. Calls forgotten(key) for each.
  template <typename Forgotten>
  void Forget(Millis horizon, size_t limit, Forgotten forgotten);
  void Clear();
  // The latest first step of a key that was dropped at the limit; kAlways if none was. A window that begins at it or
  // later is complete.
  Millis lost() const { return lost_; }
  void set_lost(Millis lost) { lost_ = lost; }

  size_t MemoryBytes() const;
  void Write(const Interner& interner, ByteWriter* out) const;
  bool Read(Interner* interner, ByteReader* in);

 private:
  static constexpr size_t kFew = 16;  // up to this many keys are compared one by one

  void Index();

  uint32_t sequence_;
  uint32_t steps_;
  size_t forget_at_ = kFew;
  Millis lost_ = kAlways;
  std::vector<uint64_t> keys_;  // bits of Stored
  std::vector<Run> runs_;
  std::unique_ptr<absl::flat_hash_map<uint64_t, uint32_t>> index_;  // for many keys
};

// Takes the user's events one by one, each with a greater serial. The texts of keys are uses of the interner.
// ReleaseTexts releases them; the destructor does not.
class StepRuns {
 public:
  // `key`: the value of the sequence's column, if it has one; null if the event lacks it. Returns the furthest step,
  // counted from 1, that a run now ends at with this event; 0 if the event matches no step.
  uint32_t Take(const SequenceProgram& program, uint32_t sequence, const StepEvent& event, Stored key, Interner* interner);
  // For each step of a sequence (not a tally) that some run reached, the latest start of such a run. Valid until the
  // next change.
  std::span<const Run> Runs(const SequenceProgram::Sequence& sequence) const {
    const uint32_t present = Present(sequence.first_step, sequence.steps);
    return {present == 0 ? nullptr : At(sequence.first_step), present};
  }
  // The same for one key. Runs from the first one that starts at kAlways on do not count.
  std::span<const Run> Runs(const SequenceProgram& program, uint32_t sequence, Stored key) const;
  // The matches that a tally counted.
  double Count(const SequenceProgram::Sequence& sequence) const;

  // Sets a sequence to its state in `other`; to the empty state if `other` is null.
  void Reset(const SequenceProgram& program, uint32_t sequence, const StepRuns* other, Interner* interner);
  // Windows that begin before this instant may lack matches of a sequence, because keys were dropped.
  Millis Lost(uint32_t sequence) const;

  void ReleaseTexts(Interner* interner);
  size_t MemoryBytes() const;
  void Write(const Interner& interner, ByteWriter* out) const;
  bool Read(const SequenceProgram& program, Interner* interner, ByteReader* in);

 private:
  // One block has bits that mark the existing runs, followed by the runs, both by step number among all steps of the
  // program. A tally stores its count in Run::start under its last step, which needs no run.
  uint64_t* bits() { return reinterpret_cast<uint64_t*>(block_.get()); }
  const uint64_t* bits() const { return reinterpret_cast<const uint64_t*>(block_.get()); }
  Run* all() { return block_.get() + (words_ + 1) / 2; }
  const Run* all() const { return block_.get() + (words_ + 1) / 2; }
  bool Has(uint32_t step) const { return size_ > 0 && bits()[step / 64] >> step % 64 & 1; }
  // The number of consecutive existing steps from `step` on, at most `most`.
  uint32_t Present(uint32_t step, uint32_t most) const;
  uint32_t Rank(uint32_t step) const;
  Run* At(uint32_t step) { return all() + Rank(step); }
  const Run* At(uint32_t step) const { return all() + Rank(step); }
  Run* Insert(const SequenceProgram& program, uint32_t step, Run run);
  void Erase(uint32_t step);
  uint32_t TakeKeyed(const SequenceProgram& program, uint32_t sequence, const StepEvent& event, Stored key, Interner* interner);
  void AddToCount(const SequenceProgram& program, const SequenceProgram::Sequence& sequence);
  KeyedRuns* FindKeyed(uint32_t sequence);
  const KeyedRuns* FindKeyed(uint32_t sequence) const { return const_cast<StepRuns*>(this)->FindKeyed(sequence); }
  KeyedRuns* AddKeyed(const SequenceProgram& program, uint32_t sequence);
  static void ClearKeyed(KeyedRuns* keyed, Interner* interner);

  std::unique_ptr<Run[]> block_;
  uint32_t words_ = 0;            // of bits
  uint32_t size_ = 0;             // runs
  uint32_t capacity_ = 0;
  std::vector<KeyedRuns> keyed_;  // by sequence
};

}  // namespace attune
